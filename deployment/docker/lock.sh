#!/bin/sh
# Renews requirements.lock and build-requirements.lock with the newest versions that pyproject.toml
# allows. Needs uv (python3 -m pip install uv). Run the tests of deployment/ afterwards.
set -eu
cd "$(dirname "$0")/../.."

compile() {
    uv pip compile --quiet --no-header --universal --python-version 3.11 --generate-hashes \
        --upgrade "$@"
}

# Writes what it is given to the file of that name, below the words that explain it.
write() {
    {
        printf '# %s\n' \
            "$2 Each package has the hashes of its files, so" \
            "that nothing else can come in; it holds for every Python and platform that camdl runs on." \
            "Renew it with deployment/docker/lock.sh."
        cat
    } >"deployment/docker/$1.new"
    mv "deployment/docker/$1.new" "deployment/docker/$1"
}

compile --extra alerts --extra postgres pyproject.toml |
    write requirements.lock "What camdl needs in its image."
python3 -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' |
    compile - |
    write build-requirements.lock "What builds camdl for its image."
