#!/bin/sh
# Makes a password for the database, and the URL with it that camdl reads, in secrets/. With
# --replace it makes others in place of those that are there; the database must be told then. What
# camdl needs beside them, such as where alerts go, is yours to put into secrets/camdl/: RUNBOOK.md.
#
# Inside the containers other users than yours read them, so the files are open and their directory
# is not: on this machine only its owner, and root, get at them.
set -eu
umask 022
cd "$(dirname "$0")"
if [ -e secrets/database_password ] && [ "${1-}" != --replace ]; then
    echo "There is a password already, and the database goes by it. To rotate it: RUNBOOK.md" >&2
    exit 1
fi
mkdir -p secrets/camdl
chmod 700 secrets
chmod 755 secrets/camdl
password=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
printf '%s' "$password" >secrets/database_password.new
printf 'postgresql://camdl:%s@database/camdl\n' "$password" >secrets/database_url.new
mv secrets/database_url.new secrets/database_url
mv secrets/database_password.new secrets/database_password
