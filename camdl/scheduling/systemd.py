"""systemd's units for the jobs, and what they need: the user and its directories.

The services run as a user without any rights, in a file system that holds only what they need.
What is said here of Chromium was found by trying: with less its sandbox does not come up.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from camdl.scheduling.place import HOME, USER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from camdl.domain.schedule import Job
    from camdl.scheduling.place import Place

# Many machines that share a site, or a database, do not all start at the same second.
_DELAYS = {"download": 60, "health": 15, "cleanup": 300, "verify": 300}
_VERDICTS = "# A verdict is no failure, whatever it says.\nSuccessExitStatus=1 2 3\n"
_RUNS = "# 75: another run is going on. 143: it was asked to end.\nSuccessExitStatus=75 143\n"

# The root of the services: an empty directory, into which is mounted what they may see.
_ROOT = "/run/camdl/root"
_VISIBLE = (
    *("/usr", "/etc", "-/bin", "-/lib", "-/lib32", "-/lib64", "-/sbin", "-/opt"),
    *("-/var/cache/fontconfig", "-/var/lib/ca-certificates"),
    # Where /etc/resolv.conf may lead to, and who else is asked for addresses.
    *("-/run/systemd/resolve", "-/run/resolvconf", "-/run/NetworkManager/resolv.conf"),
    *("-/run/netconfig", "-/run/nscd", "-/run/avahi-daemon"),
    # Who takes entries of the journal that have fields.
    "-/run/systemd/journal/socket",
    # Where a PostgreSQL on this machine listens.
    *("-/run/postgresql", "-/var/run/postgresql"),
)
# What ProtectHome= takes away, and what PrivateTmp= replaces.
_HOMES = tuple(map(Path, ("/home", "/root", "/run/user")))
_TEMPORARY = tuple(map(Path, ("/tmp", "/var/tmp")))  # noqa: S108  # nothing is put there
# All of one host each: no broadcast, no multicast, nothing that is reserved.
_ADDRESSES = (
    "0.0.0.0/1 128.0.0.0/2 192.0.0.0/3",
    "::/1 8000::/2 c000::/3 e000::/4 f000::/5 f800::/6 fc00::/7 fe00::/8",
)

# For what a service of a user may ask for too.
_PLAIN = """\
UMask=0027
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
"""
_STRICT = """\
CapabilityBoundingSet=
AmbientCapabilities=
DevicePolicy=closed
KeyringMode=private
PrivateDevices=yes
PrivateMounts=yes
PrivateTmp=yes
PrivateUsers=yes
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RemoveIPC=yes
"""
_CHROMIUM = """\
# Chromium makes namespaces and changes its root to put its own processes into a sandbox, and
# compiles scripts into memory that it then executes.
RestrictNamespaces=user pid net
SystemCallFilter=@system-service chroot
SystemCallFilter=~@resources
"""
_NO_CHROMIUM = """\
RestrictNamespaces=yes
MemoryDenyWriteExecute=yes
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
"""


def units(jobs: Sequence[Job], place: Place) -> Mapping[str, str]:
    """Each unit's text by its name: a service and a timer a job, and what a failure calls."""
    services = {f"camdl-{job.id}.service": _service(job, place) for job in jobs}
    health = next(job for job in jobs if job.verb == "health")
    services["camdl-failed@.service"] = _failed(health, place)
    return services | {f"camdl-{job.id}.timer": _timer(job) for job in jobs}


def sysusers() -> str:
    """What makes the user, for systemd-sysusers."""
    return f"""\
# The user that archives. It owns the archive, and nothing else.
u {USER} - "camdl, the archive of gate cameras" {HOME}
"""


def tmpfiles() -> str:
    """The directories, for systemd-tmpfiles."""
    return f"""\
# The archive, unless the configuration puts it elsewhere.
d {HOME} 0750 {USER} {USER} -
# The services' root: stays empty, what they may see is mounted into it for them alone.
d /run/camdl 0755 root root -
d {_ROOT} 0755 root root -
"""


def _service(job: Job, place: Place) -> str:
    return "".join(
        [
            _unit(job.name, place, "OnFailure=camdl-failed@%N.service\n"),
            _process(place, place.command(job), place.longest(job)),
            _VERDICTS if job.verb == "health" else _RUNS,
            _manners(job),
            _hardening(place, chromium=job.verb == "download"),
        ]
    )


def _failed(health: Job, place: Place) -> str:
    """What is started when a service has failed: the verdict is written, and alerts are sent."""
    return "".join(
        [
            _unit(f"{health.name} after %i has failed", place),
            _process(place, place.command(health), place.longest(health)),
            _VERDICTS,
            _hardening(place, chromium=False),
        ]
    )


def _timer(job: Job) -> str:
    return f"""\
[Unit]
Description=camdl: {_lower(job.name)}

[Timer]
{f"# Mind: {job.remark}.{chr(10)}" if job.remark else ""}OnCalendar={job.calendar}
# What was missed while the machine was down is done at its start, once.
Persistent=yes
RandomizedDelaySec={_DELAYS[job.id]}
FixedRandomDelay=yes
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


def _unit(name: str, place: Place, more: str = "") -> str:
    # A user's manager does not know the system's targets.
    order = "Wants=network-online.target\nAfter=network-online.target postgresql.service\n"
    return f"""\
[Unit]
Description=camdl: {_lower(name)}
{order if place.user else ""}{more}
"""


def _process(place: Place, command: Sequence[str], longest: timedelta) -> str:
    who = f"User={place.user}\nGroup={place.user}\n" if place.user else ""
    return f"""\
[Service]
Type=oneshot
{who}WorkingDirectory={str(place.directory).replace("%", "%%")}
ExecStart={" ".join(_quoted(word).replace("$", "$$") for word in command)}
TimeoutStartSec={longest // timedelta(seconds=1)}
TimeoutStopSec=30
KillMode=mixed
"""


def _manners(job: Job) -> str:
    """How it shares the machine with others."""
    if job.id in ("cleanup", "verify"):
        return "Nice=10\nIOSchedulingClass=idle\n"
    return ""


def _hardening(place: Place, *, chromium: bool) -> str:
    needs = _CHROMIUM if chromium else _NO_CHROMIUM
    if not place.user:
        return f"\n{_PLAIN}{needs}"
    strict = _STRICT
    if any(_is_in(path, _HOMES) for path in (*place.writes, *place.reads)):
        # Nothing could be mounted below homes that are out of reach. Those of others are not in the
        # empty root anyway. Not tmpfs: in that, what is to be archived could be written, and lost.
        strict = strict.replace("ProtectHome=yes", "ProtectHome=read-only")
    return "".join(["\n", *_belongings(place), "\n", *_sight(place), "\n", strict, _PLAIN, needs])


def _belongings(place: Place) -> Iterator[str]:
    yield "StateDirectory=camdl\nStateDirectoryMode=0750\n"
    yield "# From /etc/credstore or its like, where there is one.\n"
    for secret in place.secrets:
        yield f"LoadCredential={secret}:camdl.{secret}\n"


def _sight(place: Place) -> Iterator[str]:
    """The files and the addresses that there are for it."""
    yield "# Its root is an empty directory, into which this is mounted for it, and nothing else.\n"
    yield f"RootDirectory={_ROOT}\n"
    for path in (*_VISIBLE, *map(_mounted, place.reads)):
        yield f"BindReadOnlyPaths={path}\n"
    if place.writes:
        yield f"BindPaths={' '.join(map(_mounted, place.writes))}\n"
    yield "# Single hosts only, but any: a database and alerts may be anywhere.\n"
    yield "IPAddressDeny=any\n"
    for some in _ADDRESSES:
        yield f"IPAddressAllow={some}\n"


def _mounted(path: Path) -> str:
    """`path`, to be mounted if it is there: if it is gone, camdl itself says so, in a verdict too.

    In its place is nothing that could be written to, but for temporary files: these must be there.
    """
    return _quoted(path if _is_in(path, _TEMPORARY) else f"-{path}")


def _is_in(path: Path, directories: Iterable[Path]) -> bool:
    return any(path.is_relative_to(directory) for directory in directories)


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]


def _quoted(word: str | Path) -> str:
    """A word of a command line, or of a list of paths, in which a colon would be a separator."""
    text = str(word).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{text}"' if not text or any(c in " \t:;'\\\"" for c in text) else text
