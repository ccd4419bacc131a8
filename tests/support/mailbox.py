"""A real mail server on loopback: with TLS from the beginning, by STARTTLS or not at all."""

from __future__ import annotations

import email
import email.policy
from typing import TYPE_CHECKING, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.support.http import tls_context

if TYPE_CHECKING:
    from collections.abc import Sequence
    from email.message import EmailMessage
    from pathlib import Path
    from typing import Any

    from aiosmtpd.smtp import Envelope, Session

USER, PASSWORD = "camdl", "hunter2 squirrel"  # of the server below


class Mailbox:
    """A mail server whose certificate, with its key, is in the file `certificate`.

    `messages` are what was delivered. Where `wants_login` is set, nobody sends without `USER`
    and `PASSWORD`. Recipients among the `refused` are refused; `rejects` is what it answers to
    any message, if it is not empty.
    """

    def __init__(
        self, security: str, certificate: Path | None = None, *, wants_login: bool = True
    ) -> None:
        self.messages: list[EmailMessage] = []
        self.recipients: list[Sequence[str]] = []
        self.refused: set[str] = set()
        self.rejects = ""
        tls = tls_context(certificate) if certificate and security != "none" else None
        self._controller = _Controller(
            self,
            hostname="127.0.0.1",
            port=0,
            ssl_context=tls if security == "tls" else None,
            tls_context=tls if security == "starttls" else None,
            require_starttls=security == "starttls",
            auth_required=wants_login,
            authenticator=_authenticate,
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._controller.port

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Hang up."""
        self._controller.stop()

    # What aiosmtpd calls.

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name for it
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        """Take a recipient or not."""
        if address in self.refused:
            return "550 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take a message or not."""
        if self.rejects:
            return self.rejects
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        self.messages.append(message)
        self.recipients.append(list(envelope.rcpt_tos))
        return "250 OK"


class _Controller(Controller):
    """As the original, but for port 0, where it would look for itself, and logins over TLS.

    Without STARTTLS it knows of no TLS, and would warn of logins.
    """

    def factory(self) -> SMTP:
        server: SMTP = super().factory()  # type: ignore[no-untyped-call]  # the library's
        server._auth_require_tls = bool(server.require_starttls)
        return server

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # the library's


def _authenticate(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: object
) -> AuthResult:
    is_right = data == LoginPassword(USER.encode(), PASSWORD.encode())
    # As chatty servers do, which a client's errors must not repeat.
    answer = None if is_right else f"535 5.7.8 wrong, and not {data!r}"
    return AuthResult(success=is_right, handled=is_right, message=answer)
