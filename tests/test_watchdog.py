"""Attempts are cut at their deadline, in whichever order they come."""

from __future__ import annotations

import socket
import time

from camdl.deadline import Deadline
from camdl.watchdog import Watchdog

PATIENCE = 30.0


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of one connection; a wait for more than `PATIENCE` fails the test."""
    ours, theirs = socket.socketpair()
    ours.settimeout(PATIENCE)
    return ours, theirs


def test_an_earlier_deadline_overtakes_a_later_one() -> None:
    """The watchdog wakes up for the nearest deadline, also when that came last."""
    watchdog = Watchdog()
    late, late_end = pair()
    soon, soon_end = pair()
    with late, late_end, soon, soon_end, watchdog.attempt(Deadline.after(600)) as later:
        later.watch(late)
        with watchdog.attempt(Deadline.after(0.1)) as sooner:
            sooner.watch(soon)
            assert soon.recv(1) == b""
        assert sooner.cut
        assert not later.cut
        watchdog.close()
        assert late.recv(1) == b""
        assert later.cut


def test_an_attempt_in_time_leaves_its_sockets_open() -> None:
    """What ended before its deadline is never cut, and its connection can be used on."""
    watchdog = Watchdog()
    ours, theirs = pair()
    with ours, theirs:
        with watchdog.attempt(Deadline.after(0.1)) as attempt:
            attempt.watch(ours)
        with watchdog.attempt(Deadline.after(0.3)) as later:
            while not later.cut:
                time.sleep(0.01)
        assert not attempt.cut
        theirs.send(b"x")
        assert ours.recv(1) == b"x"
    watchdog.close()


def test_a_socket_that_comes_too_late_is_cut_at_once() -> None:
    """A connection made after the deadline, or after the close, is of no use any more."""
    watchdog = Watchdog()
    ours, theirs = pair()
    with ours, theirs, watchdog.attempt(Deadline.after(600)) as attempt:
        attempt.end()
        attempt.watch(ours)
        assert ours.recv(1) == b""
    watchdog.close()
    with watchdog.attempt(Deadline.after(600)) as after:
        assert after.cut
