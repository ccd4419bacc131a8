"""Passwords and tokens in URLs, hidden."""

from __future__ import annotations

from contextlib import suppress
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.config.secrets import mask_url

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
