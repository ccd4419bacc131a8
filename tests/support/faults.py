"""What camdl must survive. Tests say which of it they bring about: `@pytest.mark.fault(12)`.

After each of them every archived row has its file, whose SHA-256 is the row's; no file is torn; the
verdict can be read and calls nothing healthy that is not; no process is left and the lock is free;
nobody sees a traceback or a secret; and the next run, undisturbed, repairs whatever was left.
"""

from __future__ import annotations

FAULTS = {
    1: "camdl is killed at any file-system call",
    2: "any file-system call meets a full or a broken disk",
    3: "the power fails",
    4: "writes reach the disk in another order than they were made",
    5: "the disk is full, has no inodes, or is read-only",
    6: "too many open files, a limit on their size, no permission",
    7: "temporary files are left over",
    8: "the archive's directory is a link to elsewhere, or not mounted",
    9: "S3 is down, forbids, is slow, or has a part",
    10: "SQLite is locked, corrupt, or has zero bytes",
    11: "PostgreSQL is down, silent, locked, read-only, or crashes",
    12: "thirty runs start at once",
    13: "the lock file is a link, or is deleted while it is held",
    14: "the file system has no locks",
    15: "driver, browser or renderer is killed or hangs, and camdl is killed beside it",
    16: "SIGTERM comes in the middle",
    17: "memory or processes run out",
    18: "a server is silent, or drips its headers or its body",
    19: "an answer is reset, short, endless, or without a length",
    20: "a compressed body is a bomb",
    21: "a redirect leads round, to an internal address, to a file, to another host",
    22: "names cannot be resolved, or resolve to this machine; there is no network",
    23: "a server asks to be left alone, for a second or for an hour",
    24: "a certificate is bad",
    25: "a page redirects, opens a WebSocket, or asks an internal host",
    26: "a page has endless scripts, dialogs, downloads, or goes away",
    27: "the page has changed, and no image matches",
    28: "an image is HTML, PNG, SVG, empty, cut off, tiny, or a pixel bomb",
    29: "only a thumbnail can be had",
    30: "names lead elsewhere, or have control characters",
    31: "there are passwords in the database's URL",
    32: "there are line breaks in a page's title or a URL",
    33: "a mail or web-hook server hangs",
    34: "the clock is wrong by years",
    35: "clocks go back an hour",
    36: "a timer fires while a run goes on, or the machine was down",
    37: "nothing has run for hours",
    38: "the catalogue is lost",
    39: "the catalogue is empty, and there are images",
}

# What is not brought about here, and why.
NOT_HERE = {
    9: "images are kept on disks alone",
}
