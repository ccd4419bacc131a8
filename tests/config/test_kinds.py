"""Which values settings may have."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.config import kinds

ALL = [value for value in vars(kinds).values() if isinstance(value, kinds.Kind)]
PRINTABLE = st.text().filter(str.isprintable)
TOML = st.recursive(
    PRINTABLE | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    st.lists,
    max_leaves=5,
)


@given(TOML)
def test_toml_writes_what_toml_reads(value: object) -> None:
    """Whatever can be a setting survives being written and read."""
    assert tomllib.loads(f"key = {kinds.toml(value)}") == {"key": value}


@pytest.mark.parametrize(("size", "written"), [(20_000_000, "20 MB"), (1500, "1.5 kB")])
def test_a_size_is_written_as_people_write_it(size: int, written: str) -> None:
    """With a unit where no digit is lost."""
    assert kinds.size.read(written) == size
    assert kinds.size.written(size) in (written, size)
    assert kinds.size.written(3_000) == "3 kB"


def test_what_toml_does_not_have_is_an_empty_text() -> None:
    """A setting that is not there is written as none."""
    assert kinds.toml(None) == '""'


@given(st.sampled_from([*ALL, kinds.whole(1, 9), kinds.number(0, 9, above=True)]), TOML | PRINTABLE)
def test_a_value_is_read_or_refused(kind: kinds.Kind[object], value: object) -> None:
    """Whatever a file says, and what was read is read again from what is written for it."""
    try:
        read = kind.read(value)
    except ValueError:
        return
    assert kind.read("" if read is None else kind.written(read)) == read


@given(st.sampled_from([*ALL, kinds.whole(1, 9), kinds.number(0, 9)]), PRINTABLE)
def test_a_variable_is_read_or_refused(kind: kinds.Kind[object], text: str) -> None:
    """Whatever an environment variable says."""
    try:
        kind.read(kind.of_text(text))
    except ValueError:
        assert kind.allowed


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (kinds.size, 20_000_000, 20_000_000),
        (kinds.size, "20 MB", 20_000_000),
        (kinds.size, "1.5mb", 1_500_000),
        (kinds.size, "1 MiB", 1_048_576),
        (kinds.size, "1048577", 1_048_577),
        (kinds.dimensions, "1200x675", (1200, 675)),
        (kinds.dimensions, [1200, 675], (1200, 675)),
        (kinds.database, "postgres://u@h/d", "postgresql://u@h/d"),
        (kinds.database, "postgresql+psycopg://u@h/d", "postgresql+psycopg://u@h/d"),
        (kinds.database, "sqlite:////srv/camdl.db", "sqlite:////srv/camdl.db"),
        (kinds.hosts, ["*.Example.org", "127.0.0.1", "[::1]", "localhost"],
         ("*.example.org", "127.0.0.1", "[::1]", "localhost")),
        (kinds.stream_names, ["b", "a"], ("b", "a")),
        (kinds.program, "", None),
        (kinds.program, "chromium", "chromium"),
        (kinds.page, "http://127.0.0.1:8765/{stream}", "http://127.0.0.1:8765/{stream}"),
        (kinds.path, " a/b ", Path("a/b")),
        (kinds.path, "~/camdl", Path.home() / "camdl"),
        (kinds.whole(1, 9), 9, 9),
        (kinds.number(1, 9), 9, 9.0),
        (kinds.optional_template, "", ""),
        (kinds.optional_path, "", None),
        (kinds.optional_path, "a/b.prom", Path("a/b.prom")),
        (kinds.jobs, [], ()),
        (kinds.jobs, ["verify", "download", "verify"], ("download", "verify")),
        (kinds.choice("a", "b"), "B", "b"),
        (kinds.address, "", ""),
        (kinds.address, "a.b+c@x-y.example", "a.b+c@x-y.example"),
        (kinds.address, "Frau Öl <a@b>", "Frau Öl <a@b>"),
        (kinds.addresses, ["a@b", "c <d@e>"], ("a@b", "c <d@e>")),
        (kinds.host, "Mail.Example.org", "mail.example.org"),
        (kinds.host, "", ""),
        (kinds.port, 587, 587),
        (kinds.port, "", None),
        (kinds.web_address, "https://u:p@h:1/x?y=z", "https://u:p@h:1/x?y=z"),
        (kinds.web_address, "", ""),
        (kinds.ping, "https://h/{job}", "https://h/{job}"),
        (kinds.urls, ["tgram://1:a/b"], ("tgram://1:a/b",)),
    ],
)  # fmt: skip
def test_a_value_is_understood(kind: kinds.Kind[object], value: object, expected: object) -> None:
    """The forms in which a value may be given."""
    assert kind.read(value) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (kinds.whole(1, 9), 0),
        (kinds.whole(1, 9), 10),
        (kinds.whole(1, 9), True),
        (kinds.whole(1, 9), 2.0),
        (kinds.whole(1, 9), "2"),
        (kinds.number(1, 9), float("nan")),
        (kinds.number(1, 9), float("inf")),
        (kinds.number(1, 9), True),
        (kinds.number(1, 9, above=True), 1),
        (kinds.number(1, 9), 10**400),
        (kinds.switch, 1),
        (kinds.switch, "true"),
        (kinds.path, ""),
        (kinds.path, "a\0b"),
        (kinds.path, "s3://bucket/prefix"),
        (kinds.path, "file:///srv"),
        (kinds.path, "~no-such-user-here/x"),
        (kinds.database, "mysql://u@h/d"),
        (kinds.database, "postgresql+asyncpg://u@h/d"),
        (kinds.database, "sqlite://data/camdl.db"),
        (kinds.database, "sqlite:///"),
        (kinds.database, "sqlite:///:memory:"),
        (kinds.database, "postgresql://"),
        (kinds.stream_names, []),
        (kinds.stream_names, ["a", "a"]),
        (kinds.stream_names, ["../a"]),
        (kinds.stream_names, "a"),
        (kinds.stream_names, ["x" * 65]),
        (kinds.size, 999),
        (kinds.size, "2 GB"),
        (kinds.size, "2 apples"),
        (kinds.size, True),
        (kinds.dimensions, "640"),
        (kinds.dimensions, "0x360"),
        (kinds.dimensions, [640]),
        (kinds.dimensions, [640, 360, 1]),
        (kinds.dimensions, [640.0, 360.0]),
        (kinds.dimensions, [64, 0, True]),
        (kinds.hosts, "cdn.example"),
        (kinds.hosts, ["*"]),
        (kinds.hosts, ["https://cdn.example"]),
        (kinds.hosts, ["cdn.example:443"]),
        (kinds.hosts, ["cdn.*.example"]),
        (kinds.page, "https://h/{camera}"),
        (kinds.page, "https://h/}"),
        (kinds.page, "h/page"),
        (kinds.page, "https://h:70000/"),
        (kinds.template, "https://h/{stream}"),
        (kinds.template, "https://[h/{time:%s}"),
        (kinds.optional_template, 5),
        (kinds.optional_path, 5),
        (kinds.optional_path, "s3://bucket/camdl.prom"),
        (kinds.jobs, ["backfill"]),
        (kinds.jobs, "download"),
        (kinds.timezone, "Mars/Olympus"),
        (kinds.timezone, "America"),
        (kinds.timezone, "../etc/passwd"),
        (kinds.timezone, ""),
        (kinds.choice("a", "b"), "c"),
        (kinds.choice("a", "b"), 1),
        (kinds.address, "a"),
        (kinds.address, "a@b, c@d"),
        (kinds.address, "a b@c"),
        (kinds.address, "a@b>"),
        (kinds.address, ".a@b"),
        (kinds.address, "a <b"),
        (kinds.address, "a\nBcc: x@y"),
        (kinds.addresses, "a@b"),
        (kinds.host, "http://h"),
        (kinds.host, "a b"),
        (kinds.port, 0),
        (kinds.port, "25"),
        (kinds.web_address, "h/x"),
        (kinds.web_address, "https://h/a b"),
        (kinds.ping, "https://h/{job}{x}"),
        (kinds.ping, "https://h/}"),
        (kinds.urls, "json://h"),
        (kinds.urls, ["nothing"]),
    ],
)
def test_a_value_is_refused(kind: kinds.Kind[object], value: object) -> None:
    """Wrong types, values out of range, and what no part of camdl could work with."""
    with pytest.raises(ValueError, match=r"^|."):
        kind.read(value)


@pytest.mark.parametrize("text", ["1", "true", "YES", "on"])
def test_a_variable_switches_on(text: str) -> None:
    """What people write for yes."""
    assert kinds.switch.of_text(text) is True


@pytest.mark.parametrize("text", ["0", "False", "no", "off"])
def test_a_variable_switches_off(text: str) -> None:
    """What people write for no."""
    assert kinds.switch.of_text(text) is False


def test_an_error_shows_no_secret_and_no_second_line() -> None:
    """A value is shown in short."""
    assert kinds.shown("https://u:hunter@h/\n?token=hunter") == '"https://u:***@h/\\n?token=***"'
    assert len(kinds.shown(["x" * 1000])) <= 100
    assert kinds.shown(["https://h/?token=hunter", 1]) == '["https://h/?token=***", 1]'
    assert kinds.shown({"password": "hunter"}) == "a table"


@pytest.mark.parametrize(("text", "port"), [("587", 587), ("", None)])
def test_a_variable_names_a_port(text: str, port: int | None) -> None:
    """Or none."""
    assert kinds.port.read(kinds.port.of_text(text)) == port
