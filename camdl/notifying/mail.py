"""Notices as mail, handed to a mail server."""

from __future__ import annotations

import smtplib
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from email.headerregistry import AddressHeader
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import TYPE_CHECKING

from camdl.connecting import SHORTEST_SECONDS, connect
from camdl.domain.notices import NotSent, Sent
from camdl.domain.text import one_line
from camdl.notifying.failing import failure, watched

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Sequence

    from camdl.deadline import Deadline
    from camdl.domain.notices import Notice
    from camdl.watchdog import Attempt

PORTS = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server. `security` is one of `PORTS`; without `user` nobody logs in."""

    host: str
    port: int
    security: str
    tls: ssl.SSLContext
    user: str = ""
    password: str = field(default="", repr=False)


class Mail:
    """Implements `camdl.ports.Notifier`: mail from `sender` to all `recipients` at once."""

    name = "mail"

    def __init__(self, server: Server, sender: str, recipients: Sequence[str]) -> None:
        self._server = server
        self._sender = sender
        self._recipients = recipients

    def send(self, notice: Notice, deadline: Deadline) -> Sent | NotSent:
        """Hand it to the server; it is sent if that takes it for any of the recipients."""
        message = self._message(notice)
        recipients = [_bare(one) for one in self._recipients]
        return self._in_session(lambda session: session.deliver(message, recipients), deadline)

    def probe(self, deadline: Deadline) -> Sent | NotSent:
        """As `send`, up to the message: connect, encrypt and log in."""
        return self._in_session(lambda session: session.greet(), deadline)

    def _in_session(self, do: Callable[[_Session], Sent], deadline: Deadline) -> Sent | NotSent:
        server = self._server
        at = f"{server.host}:{server.port}"
        with watched(deadline) as attempt:
            try:
                with _Session(server, attempt) as session:
                    return do(session)
            except smtplib.SMTPRecipientsRefused as error:
                return NotSent(one_line(f"{at}: {_refusals(error.recipients)}"))
            except smtplib.SMTPResponseException as error:
                if attempt.cut:
                    return failure(at, error, attempt)
                if error.smtp_code < 0:
                    return NotSent(f"{at}: this is no mail server")
                return NotSent(one_line(f"{at}: {error.smtp_code} {_text(error.smtp_error)}"))
            # ValueError: an answer that is none of SMTP's.
            except (OSError, ValueError) as error:
                return failure(at, error, attempt)

    def _message(self, notice: Notice) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = ", ".join(self._recipients)
        message["Subject"] = notice.title
        message["Date"] = format_datetime(notice.at)
        # The same at every try, so that a mailbox may know a second copy.
        message["Message-ID"] = f"<{notice.id}@{_bare(self._sender).rpartition('@')[2]}>"
        # Nobody's "out of office" is wanted.
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(notice.body)
        return message


class _Session(smtplib.SMTP):
    """A conversation that is cut with `attempt`, encrypted and logged in as `server` says."""

    def __init__(self, server: Server, attempt: Attempt) -> None:
        self._server = server
        self._attempt = attempt
        # A name for ourselves, as smtplib would look ours up, which may take for ever.
        super().__init__(
            local_hostname=_own_name(),
            timeout=max(attempt.deadline.remaining(), SHORTEST_SECONDS),
        )
        # Only its constructor would set it where it connects; the certificate is checked by it.
        self._host = server.host
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        # Nothing that is answered now matters any more.
        with suppress(OSError):
            self.putcmd("quit")
        self.close()

    def deliver(self, message: EmailMessage, recipients: Sequence[str]) -> Sent:
        """Have `message` taken, and say for whom it was not, and what was answered.

        Raises:
            SMTPException: nobody gets it.
            OSError: the connection broke.
        """
        refused = self.send_message(message, to_addrs=recipients)
        taken = [one for one in recipients if one not in refused]
        told = f"taken for {', '.join(taken)} by {self._server.host}:{self._server.port}"
        return Sent(one_line(f"{told}; refused: {_refusals(refused)}" if refused else told))

    def greet(self) -> Sent:
        """Say who answers, and as whom it knows us.

        Raises:
            SMTPException: it does not want to talk.
            OSError: the connection broke.
        """
        self.ehlo_or_helo_if_needed()
        server = self._server
        how = {"starttls": "STARTTLS", "tls": "TLS"}.get(server.security, "no encryption")
        login = f", logged in as {server.user}" if server.user else ""
        return Sent(one_line(f"{server.host}:{server.port} answers, {how}{login}"))

    def _begin(self) -> None:
        server = self._server
        if server.user and not server.password:
            raise smtplib.SMTPException(f"there is no smtp_password for {server.user}")
        code, said = self.connect(server.host, server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        if server.security == "starttls":
            self.starttls(context=server.tls)
        if server.user:
            self.login(server.user, server.password)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002
        sock = connect(host.strip("[]"), port, self._attempt)
        if self._server.security == "tls":
            return self._server.tls.wrap_socket(sock, server_hostname=self._server.host)
        return sock


def _own_name() -> str:
    """This machine's name if it is a whole one, else an address in its place (RFC 5321, 4.1.3)."""
    name = socket.gethostname()
    return name if "." in name else "[127.0.0.1]"


def _bare(address: str) -> str:
    """`ops@example.org` of `Ops <ops@example.org>`."""
    header = SMTP.header_factory("to", address)
    assert isinstance(header, AddressHeader)  # noqa: S101  # the library makes no other of a "to"
    return header.addresses[0].addr_spec


def _refusals(refused: dict[str, tuple[int, bytes]]) -> str:
    return "; ".join(f"{one}: {code} {_text(said)}" for one, (code, said) in refused.items())


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else said
