"""What kinds of things fail: few words, for those who count what reasons say at length."""

from __future__ import annotations

from enum import StrEnum


class FailureKind(StrEnum):
    """What kind of thing failed in a run: an image, a listing, or the run itself."""

    UNREACHABLE = "unreachable"  # no name, no connection, or one that broke
    TIMEOUT = "timeout"
    CERTIFICATE = "certificate"
    HTTP_STATUS = "http-status"
    REFUSED = "refused"  # what was asked for is none of the site's
    DEFERRED = "deferred"  # the source asked to be left alone
    NOT_AN_IMAGE = "not-an-image"
    DEADLINE = "deadline"  # the run's time was over
    UNREADABLE = "unreadable"  # the page gave no listing
    INCOMPLETE = "incomplete"  # the listing may lack something
    STORAGE = "storage"  # the disk or the database
    CONFIGURATION = "configuration"
    INTERRUPTED = "interrupted"
    BUG = "bug"
