"""Passwords and tokens in URLs, hidden."""

from __future__ import annotations

import base64
from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.config.secrets import Censor, hidden, mask_url

# What people put into passwords and forget to escape, between two words that must not be seen.
BETWEEN = st.sampled_from(
    ["", "@", ":", "/", "?", "#", "=", "%", "?token=", " ", "\n", "@@/", "?a@"]
)
PASSWORDS = st.builds("hunter{}squirrel".format, BETWEEN)
DIALECTS = st.sampled_from(["postgresql", "postgres", "https", "mysql+pymysql", "s3"])
USERS = st.sampled_from(["", "camdl", "a%40b", "passenger"])
PARAMETERS = st.sampled_from(
    ["password", "PASSWORD", "passwd", "pwd", "sslpassword", "p%61ssword", "token", "access_token",
     "apikey", "api_key", "client_secret", "X-Amz-Signature", "sig"]
)  # fmt: skip


def is_hidden(masked: str) -> bool:
    """Whether nothing of a password is left."""
    return "hunter" not in masked and "squirrel" not in masked


@given(DIALECTS, USERS, PASSWORDS)
def test_a_password_is_hidden(dialect: str, user: str, password: str) -> None:
    """Escaped or not, nothing of it is left; user, host and database are."""
    for written in (password, quote(password, safe="")):
        masked = mask_url(f"{dialect}://{user}:{written}@db.example/camdl?sslmode=require")
        assert is_hidden(masked)
        assert masked.startswith(f"{dialect}://{user}:***")
    assert masked == f"{dialect}://{user}:***@db.example/camdl?sslmode=require"


@given(PARAMETERS, PASSWORDS, st.sampled_from(["?", "?a=b&", "?x=1?", "#", "?host=h;"]))
def test_a_secret_parameter_is_hidden(name: str, password: str, before: str) -> None:
    """A driver takes a password as a parameter too; its name stays."""
    masked = mask_url(f"postgresql://camdl@db.example/camdl{before}{name}={password}&b=c")
    assert is_hidden(masked)
    assert masked == f"postgresql://camdl@db.example/camdl{before}{name}=***&b=c"


@given(PASSWORDS, PARAMETERS, PASSWORDS)
def test_two_secrets_are_both_hidden(one: str, name: str, other: str) -> None:
    """A password and a parameter in one URL, whatever is in them."""
    assert is_hidden(mask_url(f"postgresql://camdl:{one}@db.example/camdl?{name}={other}"))


@given(st.text())
def test_any_text_can_be_masked_and_masking_twice_changes_nothing(text: str) -> None:
    """What was hidden stays as it is."""
    for url in (text, f"https://{text}", f"https://h/?token={text}"):
        assert mask_url(mask_url(url)) == mask_url(url)


@given(st.text(st.sampled_from("abp:/@?&=#%;"), max_size=30))
def test_what_the_database_library_takes_for_a_password_is_hidden(rest: str) -> None:
    """However odd the URL: if it is one, its password is not in the masked form."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    url = f"postgresql://u:hunter{rest}@h/d"
    with suppress(ArgumentError, ValueError):
        assert "hunter" in str(make_url(url).password)
    assert "hunter" not in mask_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite:///data/camdl.db",
        "sqlite:////srv/a@b:c.db",
        "postgresql://camdl@db.example:5432/camdl?sslmode=verify-full",
        "postgresql:///camdl?host=/run/postgresql",
        "https://app.example/page?streamName={stream}#camera-history",
        "http://127.0.0.1:8765/{time:%Y-%m-%dT%H:%M:%S}-{stream}.jpeg",
    ],
)
def test_a_url_without_a_secret_stays_as_it_is(url: str) -> None:
    """Only secrets are hidden."""
    assert mask_url(url) == url


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", ""),
        (None, None),
        ("hunter2", "***"),
        ("https://hook.example:8443/services/T0/B0?x=y", "https://hook.example:8443/***"),
        ("http://me:hunter2@hook.example/x", "http://hook.example/***"),
        ("tgram://123456:hunter2/chat", "tgram://***"),
        (("json://h/hunter2", "a"), ["json://***", "***"]),
    ],
)
def test_a_value_that_is_all_secret_is_hidden(value: object, shown: object) -> None:
    """Its host or its scheme is left, to tell which one it is."""
    assert hidden(value) == shown


SECRETS = [
    "hunter squirrel",
    "https://hooks.example/services/T0AAAA11/B0BBBB22",
    "https://me:swordfish@hc.example/ping/x/{job}?sig=abcdef",
    "tgram://123456789:AAH_token/-100",
]


@pytest.mark.parametrize(
    "text",
    [
        "535 not 'hunter squirrel'",
        f"AUTH LOGIN {base64.b64encode(b'hunter squirrel').decode()}",
        "hunter%20squirrel",
        "https://hooks.example/services/T0AAAA11/B0BBBB22: 404",
        "POST /services/T0AAAA11/B0BBBB22 HTTP/1.1",
        "no such channel B0BBBB22",
        "swordfish",
        "/ping/x/{job}?sig=abcdef",
        "https://api.telegram.example/bot123456789:AAH_token/sendMessage",
        "bot 123456789",
        "postgresql://camdl:other-hunter@db/camdl",
        "http://page.example/?token=other-hunter",
    ],
)
def test_no_secret_gets_through_the_censor(text: str) -> None:
    """Whole or in part, and in the forms in which protocols write it."""
    told = Censor(SECRETS)(text)
    assert "***" in told
    for secret in ("hunter", "squirrel", "aHVudGVy", "T0AAAA11", "B0BBBB22", "swordfish", "abcdef",
                   "AAH_token", "123456789"):  # fmt: skip
        assert secret not in told


def test_the_censor_leaves_all_else() -> None:
    """Hosts and plain words of a secret URL are no secrets."""
    text = "in_gate: http://hooks.example/gate?stream=in_gate could not be reached by services"
    assert Censor(SECRETS)(text) == text
    assert Censor([])(text) == text
    assert Censor(["https://[no-url"])(text) == text
    # What is as short could be any word, and to take it out would tell it.
    assert Censor(["in"])(text) == text


@given(PASSWORDS, st.text(), st.text())
def test_a_password_is_taken_out_of_any_text(password: str, before: str, after: str) -> None:
    """Whatever is around it."""
    assert password not in Censor([password])(f"{before}{password}{after}")
