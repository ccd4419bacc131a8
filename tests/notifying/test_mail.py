"""Mail, as a real mail server gets it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from camdl.deadline import Deadline
from camdl.domain.notices import Kind, Notice, NotSent, Sent
from camdl.notifying.failing import trust
from camdl.notifying.mail import Mail, Server
from tests.support.http import RawServer, self_signed
from tests.support.mailbox import PASSWORD, USER, Mailbox

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.http import Conversation

NOW = datetime(2026, 11, 24, 20, 40, 12, tzinfo=UTC)
NOTICE = Notice("20261124T204012Z-67b736", Kind.ALERT, NOW, "[camdl gate1] it", "is bad\n")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that signed itself, with its key."""
    return self_signed(tmp_path_factory.mktemp("tls"))


def server(
    port: int, certificate: Path | None = None, security: str = "starttls", password: str = PASSWORD
) -> Server:
    """How to get to a mail server here."""
    user = "" if security == "none" else USER
    return Server("127.0.0.1", port, security, trust(certificate), user, password)


def sent(where: Server, *recipients: str) -> Sent | NotSent:
    """What becomes of mail to them."""
    mail = Mail(where, "camdl <camdl@gate.example>", recipients or ("Ops <ops@example.org>",))
    return mail.send(NOTICE, Deadline.after(30))


def test_a_mail_tells_who_when_and_that_no_answer_is_wanted(certificate: Path) -> None:
    """It is the same at every try, so that a mailbox can know a second copy."""
    with Mailbox("starttls", certificate) as box:
        for _ in range(2):
            outcome = sent(server(box.port, certificate), "Ops <ops@example.org>", "b@example.org")
            assert outcome == Sent(
                f"taken for ops@example.org, b@example.org by 127.0.0.1:{box.port}"
            )
    first, second = box.messages
    assert (first["From"], first["To"]) == (
        "camdl <camdl@gate.example>",
        "Ops <ops@example.org>, b@example.org",
    )
    assert first["Date"].datetime == NOW
    assert first["Auto-Submitted"] == "auto-generated"
    assert first["Message-ID"] == "<20261124T204012Z-67b736@gate.example>"
    assert first["Message-ID"] == second["Message-ID"]
    assert box.recipients[0] == ["ops@example.org", "b@example.org"]


def test_one_recipient_that_is_refused_keeps_it_from_no_other(certificate: Path) -> None:
    """It is sent, and said for whom not; nobody gets it twice because of him."""
    with Mailbox("starttls", certificate) as box:
        box.refused.add("old@example.org")
        where = server(box.port, certificate)
        outcome = sent(where, "old@example.org", "new@example.org")
        assert outcome == Sent(
            f"taken for new@example.org by 127.0.0.1:{box.port}; "
            "refused: old@example.org: 550 no such user here"
        )
        assert sent(where, "old@example.org") == NotSent(
            f"127.0.0.1:{box.port}: old@example.org: 550 no such user here"
        )
    assert box.recipients == [["new@example.org"]]


def test_a_wrong_password_is_told(certificate: Path) -> None:
    """With what the server says of it."""
    with Mailbox("starttls", certificate) as box:
        outcome = sent(server(box.port, certificate, password="wrong"))  # noqa: S106  # it is
    assert isinstance(outcome, NotSent)
    assert outcome.reason.startswith(f"127.0.0.1:{box.port}: 535 5.7.8 wrong")
    assert box.messages == []


def test_a_password_that_is_not_there_is_told(certificate: Path) -> None:
    """Where systemd's services alone have it, whoever else tries is told what is lacking."""
    outcome = sent(server(1, certificate, password=""))
    assert outcome == NotSent(f"127.0.0.1:1: there is no smtp_password for {USER}")


@pytest.mark.parametrize(
    ("security", "how"),
    [
        ("starttls", "STARTTLS, logged in as"),
        ("tls", "TLS, logged in as"),
        ("none", "no encryption"),
    ],
)
def test_a_server_can_be_tried_without_any_mail(certificate: Path, security: str, how: str) -> None:
    """Up to the login."""
    with Mailbox(security, certificate, wants_login=security != "none") as box:
        mail = Mail(server(box.port, certificate, security), "a@b.example", ["c@d.example"])
        told = mail.probe(Deadline.after(30))
    assert isinstance(told, Sent)
    assert told.answer.startswith(f"127.0.0.1:{box.port} answers, {how}")
    assert box.messages == []


def test_without_tls_nothing_is_said() -> None:
    """A server that offers no STARTTLS gets neither the password nor the message."""
    said: list[bytes] = []

    def plain(conversation: Conversation) -> None:
        conversation.send(b"220 here\r\n")
        said.append(conversation.sock.recv(1000))
        conversation.send(b"250-here\r\n250 AUTH PLAIN\r\n")
        said.append(conversation.sock.recv(1000))

    with RawServer(plain) as raw:
        outcome = sent(server(int(raw.origin.rpartition(":")[2])))
    assert isinstance(outcome, NotSent)
    assert "STARTTLS" in outcome.reason
    assert said[0].startswith(b"ehlo ")
    assert said[1:] == [b""]


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [
        (b"554 go away\r\n", "554 go away"),
        (b"HTTP/1.1 400 Bad\r\n", "this is no mail server"),
        (b"x" * 10_000, "Line too long"),
        (b"", "closed"),
    ],
)
def test_a_server_that_is_none(greeting: bytes, reason: str) -> None:
    """What it says is told in a line."""

    def greet(conversation: Conversation) -> None:
        conversation.send(greeting)
        conversation.sock.recv(1000) if greeting else None

    with RawServer(greet) as raw:
        outcome = sent(server(int(raw.origin.rpartition(":")[2])))
    assert isinstance(outcome, NotSent)
    assert reason in outcome.reason


def test_a_host_that_is_none() -> None:
    """Names that no resolver could know are told too."""
    nowhere = Server("a" * 70 + ".example", 25, "none", trust(None))
    outcome = sent(nowhere)
    assert isinstance(outcome, NotSent)
    assert "this is no host name" in outcome.reason
