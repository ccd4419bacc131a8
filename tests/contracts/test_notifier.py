"""What every way to tell people does, the real ones and the fake."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from camdl.deadline import Deadline
from camdl.domain.notices import Item, Kind, Notice, NotSent, Sent
from camdl.notifying.apprise_urls import AppriseUrl
from camdl.notifying.failing import trust
from camdl.notifying.mail import Mail, Server
from camdl.notifying.webhook import Webhook
from tests.support.fake_notifier import FakeNotifier
from tests.support.hook import Hook
from tests.support.http import RawServer, self_signed, tls_context
from tests.support.mailbox import PASSWORD, USER, Mailbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from camdl.ports import Notifier
    from tests.support.http import Conversation, Handler

NOW = datetime(2026, 11, 24, 20, 40, tzinfo=UTC)
ITEM = Item(Kind.ALERT, "stream.in_gate", "critical", NOW, "it failed", "look at it")
TOKEN = "T0PSECRET-hunter2"  # noqa: S105  # of nothing
AMPLE = 60.0


def notice(body: str = "in_gate: critical\nWhat to do: look.\n", notice_id: str = "n1") -> Notice:
    """An alert that says so."""
    return Notice(notice_id, Kind.ALERT, NOW, "[camdl gate1] CRITICAL: in_gate", body, (ITEM,))


@dataclass(frozen=True)
class World:
    """A notifier, what came of it (title and text of each), and ways to spoil it.

    `hostile` is the same kind of notifier for a server of the test's own; None where there is none.
    """

    notifier: Notifier
    came: Callable[[], list[tuple[str, str]]]
    refuse: Callable[[], None]
    hostile: Callable[[RawServer], Notifier] | None


def mail(port: int, security: str, certificate: Path) -> Mail:
    """Mail by the server there."""
    login = ("", "") if security == "none" else (USER, PASSWORD)
    server = Server("127.0.0.1", port, security, trust(certificate), *login)
    return Mail(server, "camdl <camdl@gate.example>", ["Ops <ops@example.org>", "b@example.org"])


def mail_world(security: str, certificate: Path, stack: ExitStack) -> World:
    """A real mail server."""
    box = stack.enter_context(Mailbox(security, certificate, wants_login=security != "none"))

    def came() -> list[tuple[str, str]]:
        # Lines end with both characters on their way.
        texts = [one.get_content().replace("\r\n", "\n") for one in box.messages]
        return [(str(one["Subject"]), text) for one, text in zip(box.messages, texts, strict=True)]

    def refuse() -> None:
        box.rejects = f"554 5.7.1 no {TOKEN} here"

    return World(
        mail(box.port, security, certificate),
        came,
        refuse,
        lambda server: mail(port_of(server), security, certificate),
    )


def webhook_world(certificate: Path | None, stack: ExitStack) -> World:
    """A real web server."""
    hook = stack.enter_context(Hook(certificate))

    def came() -> list[tuple[str, str]]:
        told = [post.json for post in hook.posts]
        return [(one["title"], one["text"].removeprefix(f"{one['title']}\n\n")) for one in told]

    def refuse() -> None:
        hook.status = 403

    def webhook(origin: str) -> Webhook:
        return Webhook(f"{origin}/hooks/{TOKEN}", "gate1", trust(certificate))

    return World(webhook(hook.origin), came, refuse, lambda server: webhook(server.origin))


def apprise_world(stack: ExitStack) -> World:
    """Apprise, which posts to a real web server."""
    hook = stack.enter_context(Hook())

    def came() -> list[tuple[str, str]]:
        # Apprise takes white space off the end.
        return [(post.json["title"], f"{post.json['message']}\n") for post in hook.posts]

    def refuse() -> None:
        hook.status = 403

    def apprise(origin: str) -> AppriseUrl:
        # Patient: it is camdl that ends it.
        return AppriseUrl(f"json://{origin.partition('//')[2]}/{TOKEN}?rto=90&cto=90", 1)

    return World(apprise(hook.origin), came, refuse, lambda server: apprise(server.origin))


def fake_world() -> World:
    """The one that the tests of others use."""
    fake = FakeNotifier()

    def refuse() -> None:
        fake.fault = "refused"

    return World(fake, lambda: [(one.title, one.body) for one in fake.sent], refuse, None)


def port_of(server: RawServer) -> int:
    """Where it listens."""
    return int(server.origin.rpartition(":")[2])


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that signed itself, with its key."""
    return self_signed(tmp_path_factory.mktemp("tls"))


KINDS = ["mail-starttls", "mail-tls", "mail-none", "webhook-http", "webhook-https", "apprise"]


@pytest.fixture
def world_of(certificate: Path) -> Iterator[Callable[[str], World]]:
    """Makes a notifier of a kind, in a world of its own."""
    with ExitStack() as stack:

        def make(kind: str) -> World:
            what, _, how = kind.partition("-")
            if what == "mail":
                return mail_world(how, certificate, stack)
            if what == "webhook":
                return webhook_world(certificate if how == "https" else None, stack)
            return apprise_world(stack) if what == "apprise" else fake_world()

        yield make


@pytest.fixture(params=[*KINDS, "fake"])
def world(request: pytest.FixtureRequest, world_of: Callable[[str], World]) -> World:
    """Each kind of notifier."""
    return world_of(request.param)


def test_a_notice_comes_once_and_whole(world: World) -> None:
    """Its title and its text, letter by letter."""
    body = (
        "in_gate: crítico 🚚 „Tor“\n.\nA line that begins with a dot.\n" + "long " * 300 + "end\n"
    )
    assert isinstance(world.notifier.send(notice(body), Deadline.after(AMPLE)), Sent)
    assert world.came() == [("[camdl gate1] CRITICAL: in_gate", body)]


def test_several_notices_come_in_order(world: World) -> None:
    """One by one."""
    for number in range(2):
        one = notice(f"{number}\n", f"n{number}")
        assert isinstance(world.notifier.send(one, Deadline.after(AMPLE)), Sent)
    assert [text for _, text in world.came()] == ["0\n", "1\n"]


def test_the_answer_is_one_line(world: World) -> None:
    """Somebody reads it on a terminal."""
    sent = world.notifier.send(notice(), Deadline.after(AMPLE))
    assert isinstance(sent, Sent)
    assert sent.answer
    assert sent.answer.isprintable()


def test_a_refusal_is_told_in_one_line(world: World) -> None:
    """It is no success, and no exception."""
    world.refuse()
    outcome = world.notifier.send(notice(), Deadline.after(AMPLE))
    assert isinstance(outcome, NotSent)
    assert outcome.reason
    assert outcome.reason.isprintable()


def test_nothing_is_sent_past_the_deadline(world: World) -> None:
    """With no time left it is not even begun."""
    assert isinstance(world.notifier.send(notice(), Deadline.after(0)), NotSent)
    assert world.came() == []


def test_its_name_is_short_and_always_the_same(world: World) -> None:
    """The outbox goes by it."""
    assert world.notifier.name == world.notifier.name.lower()
    assert len(world.notifier.name) <= 40


# What servers do. Each is bounded, whatever it is: no timeout of a socket would hold a server
# that sends a byte now and then.

SECONDS = 0.3


def silent(conversation: Conversation) -> None:
    """Take the connection and say nothing: no banner, no answer, no handshake."""
    conversation.hold()


def dripping_banner(conversation: Conversation) -> None:
    """One byte after the other, of a banner that has no end."""
    conversation.drip(b"220-", 0.05)


def dripping_lines(conversation: Conversation) -> None:
    """A greeting of ever more lines."""
    conversation.drip(b"220-well\r\n", 0.001)


def half_a_code(conversation: Conversation) -> None:
    """Begin to greet, and think better of it."""
    conversation.send(b"22")
    conversation.hold()


def silent_after_starttls(conversation: Conversation) -> None:
    """Promise TLS, and then no handshake."""
    conversation.send(b"220 here\r\n")
    conversation.sock.recv(1000)
    conversation.send(b"250-here\r\n250 STARTTLS\r\n")
    conversation.sock.recv(1000)
    conversation.send(b"220 go\r\n")
    conversation.hold()


def silent_after_the_message(conversation: Conversation) -> None:
    """Take everything, and never say so."""
    conversation.send(b"220 here\r\n")
    conversation.sock.recv(1000)
    for _ in range(4):  # the sender and two recipients, then the message
        conversation.send(b"250 yes\r\n")
        conversation.sock.recv(1000)
    conversation.send(b"354 go on\r\n")
    conversation.hold()


def dripping_headers(conversation: Conversation) -> None:
    """Take the request, and answer with headers that have no end."""
    conversation.request()
    conversation.send(b"HTTP/1.1 200 OK\r\n")
    conversation.drip(b"X-Header: 1\r\n", 0.05)


def dripping_body(conversation: Conversation) -> None:
    """A good answer with a body that has no end."""
    conversation.request()
    conversation.send(b"HTTP/1.1 200 OK\r\n\r\n")
    conversation.drip(b"x", 0.05)


TARPITS: list[tuple[str, Handler]] = [
    *(("mail-none", one) for one in (silent, dripping_banner, dripping_lines, half_a_code)),
    ("mail-none", silent_after_the_message),
    *(("mail-starttls", one) for one in (silent, silent_after_starttls)),
    ("mail-tls", silent),
    ("webhook-http", silent),
    ("webhook-https", silent),
    ("apprise", silent),
]


@pytest.mark.parametrize(
    ("kind", "handler"), TARPITS, ids=[f"{kind}-{one.__name__}" for kind, one in TARPITS]
)
def test_a_tarpit_takes_no_longer_than_the_deadline(
    world_of: Callable[[str], World], kind: str, handler: Handler
) -> None:
    """It is not sent, in time, and nobody waits for it any more."""
    hostile = world_of(kind).hostile
    assert hostile
    with RawServer(handler) as server:
        # A process of Apprise's has to start first.
        seconds = SECONDS * (10 if kind == "apprise" else 1)
        began = time.monotonic()
        outcome = hostile(server).send(notice(), Deadline.after(seconds))
        took = time.monotonic() - began
        assert server.connections == 1
    assert isinstance(outcome, NotSent)
    assert "in time" in outcome.reason
    assert took < seconds + 5


@pytest.mark.parametrize("handler", [dripping_headers, dripping_body])
def test_an_answer_without_an_end_is_an_answer(
    world_of: Callable[[str], World], handler: Handler
) -> None:
    """Its status says that the post was taken, so it is not sent again; the rest is cut off."""
    hostile = world_of("webhook-http").hostile
    assert hostile
    with RawServer(handler) as server:
        began = time.monotonic()
        outcome = hostile(server).send(notice(), Deadline.after(SECONDS))
        assert time.monotonic() - began < SECONDS + 5
    assert isinstance(outcome, Sent)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_hangs_up(world_of: Callable[[str], World], kind: str) -> None:
    """It is told, at once."""
    hostile = world_of(kind).hostile
    assert hostile

    def hang_up(conversation: Conversation) -> None:
        if not kind.startswith("mail") or kind == "mail-tls":
            conversation.sock.recv(1000)  # there the client speaks first
        conversation.reset()

    with RawServer(hang_up) as server:
        outcome = hostile(server).send(notice(), Deadline.after(AMPLE))
    assert isinstance(outcome, NotSent)
    assert outcome.reason.isprintable()


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_listens(world_of: Callable[[str], World], kind: str) -> None:
    """It is told, at once."""
    hostile = world_of(kind).hostile
    assert hostile
    server = RawServer(silent)
    with server:
        pass
    outcome = hostile(server).send(notice(), Deadline.after(AMPLE))
    assert isinstance(outcome, NotSent)
    assert outcome.reason.isprintable()
    assert TOKEN not in outcome.reason


@pytest.mark.parametrize("kind", ["mail-tls", "mail-starttls", "webhook-https"])
def test_a_certificate_that_nobody_vouches_for(
    world_of: Callable[[str], World], tmp_path: Path, kind: str
) -> None:
    """It is refused before anything is said, a password least of all."""
    hostile = world_of(kind).hostile
    assert hostile
    own = tls_context(self_signed(tmp_path))
    said: list[bytes] = []

    def listen(conversation: Conversation) -> None:
        sock = conversation.sock
        if kind == "mail-starttls":
            conversation.send(b"220 here\r\n")
            said.append(sock.recv(1000))
            conversation.send(b"250-here\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
            said.append(sock.recv(1000))
            conversation.send(b"220 go\r\n")
        with own.wrap_socket(sock, server_side=True) as tls:
            said.append(tls.recv(1000))

    with RawServer(listen) as server:
        outcome = hostile(https(server) if "webhook" in kind else server).send(
            notice(), Deadline.after(AMPLE)
        )
    assert isinstance(outcome, NotSent)
    assert "certificate is not trusted" in outcome.reason
    assert not any(b"AUTH" in one or b"POST" in one for one in said)


def https(server: RawServer) -> RawServer:
    """As if it began with TLS by itself."""
    server.origin = server.origin.replace("http:", "https:")
    return server
