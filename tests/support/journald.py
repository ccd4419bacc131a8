"""systemd's own journal, for one test: in a mount namespace, so that no other is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_JOURNALD = Path("/usr/lib/systemd/systemd-journald")
_APART = ("unshare", "--mount", "--propagation", "private")
# Runs $1 with stdout and stderr in the journal, as systemd does, then prints all entries of it.
_SCRIPT = """
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/log/journal
"$JOURNALD" 2>"$LOG" & journald=$!
while ! [ -S /run/systemd/journal/stdout ]; do kill -0 $journald; sleep 0.05; done
python3=$1; shift
"$python3" -c "$AS_A_SERVICE" "$@" && code=0 || code=$?
journalctl --sync
journalctl --no-pager --all -o json SYSLOG_IDENTIFIER=camdl
kill $journald
wait $journald || true
exit $code
"""
# What systemd does with a service's output: a stream to the journal, and a variable that names it.
_AS_A_SERVICE = """
import os, socket, sys
stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
stream.connect("/run/systemd/journal/stdout")
stream.sendall(b"camdl\\n\\n6\\n1\\n0\\n0\\n0\\n")
stream.shutdown(socket.SHUT_RD)
found = os.fstat(stream.fileno())
environ = {**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
if os.environ.get("WITHOUT_SOCKET"):
    os.unlink("/run/systemd/journal/socket")
pid = os.fork()
if not pid:
    os.dup2(stream.fileno(), 1)
    os.dup2(stream.fileno(), 2)
    os.execvpe(sys.argv[1], sys.argv[1:], environ)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def lacking() -> str:
    """Why there can be no journal here; empty if there can."""
    if os.geteuid() != 0:
        return "only root has mount namespaces"
    if not _JOURNALD.exists() or not shutil.which("journalctl"):
        return "systemd is lacking: apt-get install systemd"
    return ""


def entries(
    command: list[str], cwd: Path, environment: Mapping[str, str], *, socket: bool = True
) -> tuple[int, list[dict[str, Any]]]:
    """Exit code of `command`, and what the journal has of it; `socket` is that for fields."""
    more = {
        "JOURNALD": str(_JOURNALD),
        "LOG": str(cwd / "journald.log"),
        "AS_A_SERVICE": _AS_A_SERVICE,
        "WITHOUT_SOCKET": "" if socket else "1",
    }
    done = subprocess.run(
        [*_APART, "bash", "-c", _SCRIPT, "bash", command[0], *command],
        cwd=cwd,
        env={**environment, **more},
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]
