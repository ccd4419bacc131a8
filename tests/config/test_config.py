"""The configuration: what is found, what wins, and what is refused."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from camdl.config import Loaded, Settings, load
from camdl.domain.captures import Capture
from camdl.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

DATABASE = "postgresql://camdl:hunter2@db.example/camdl"
SERVER = """
    alert_email_from = 'c@d'
    smtp_host = 'h'
    smtp_user = 'u'
    smtp_password = 'hunter2'
"""
MAIL = "alert_email_to = ['a@b.example']"
IMAGE = "https://cdn.example/{time:%Y-%m-%dT%H:%M:%S}-{stream}.jpeg"


class Place:
    """A directory to be in, with nothing of this machine's own configuration."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.file = root / "camdl.toml"

    def load(self, environ: Mapping[str, str] | None = None, **flags: object) -> Loaded:
        """Load as in this directory."""
        return load(flags, None, environ or {}, self.root)

    def write(self, text: str) -> Place:
        """Put a configuration file here."""
        self.file.write_text(text, encoding="utf-8")
        return self

    def refused(self, environ: Mapping[str, str] | None = None, **flags: object) -> list[str]:
        """The problems of the configuration, one each."""
        with pytest.raises(ConfigError) as caught:
            self.load(environ, **flags)
        assert caught.value.exit_code == 78
        lines = [line.strip().removeprefix("- ") for line in str(caught.value).splitlines()]
        return lines if len(lines) == 1 else lines[1:]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty directory, on a machine without a configuration for all."""
    monkeypatch.setattr("camdl.config.layers.SYSTEM_FILE", tmp_path / "etc" / "config.toml")
    return Place(tmp_path)


def test_without_anything_the_defaults_hold(place: Place) -> None:
    """No file, no variable: the built-in site with its two gates."""
    loaded = place.load()
    assert loaded.settings == Settings()
    assert loaded.file is None
    assert set(loaded.sources.values()) == {"default"}
    assert [stream.name for stream in loaded.streams()] == ["in_gate", "out_gate"]


def test_the_built_in_site_is_what_is_known_of_it(place: Place) -> None:
    """Page, image and thumbnail URLs of the recorded form, in UTC."""
    (stream,) = place.load().streams(["in_gate"])
    capture = Capture(datetime(2025, 9, 8, 6, 22, 30, tzinfo=UTC), "in_gate")
    stem = "https://cdn.draydog.com/apm/2025-09-08/6/2025-09-08T06:22:30-in_gate"
    assert stream.page == (
        "https://app.draydog.com/terminal_cameras/apm?streamName=in_gate#camera-history"
    )
    assert stream.image.url(capture) == f"{stem}.jpeg"
    assert stream.thumbnail
    assert stream.thumbnail.url(capture) == f"{stem}-thumbnail.jpeg"
    assert (stream.timezone.key, stream.date_picker) == ("UTC", ".el-date-editor input")
    assert (stream.page_hosts, stream.interval) == (("*.draydog.com",), timedelta(minutes=10))
    assert (stream.min_width, stream.min_height) == (640, 360)


def test_flags_beat_variables_beat_the_file_beat_the_defaults(place: Place) -> None:
    """Each value says where it came from."""
    place.write("timeout = 11\nbatch_size = 11\nretention_days = 11\nconcurrent_downloads = 11")
    environ = {
        "CAMDL_TIMEOUT": "12",
        "CAMDL_BATCH_SIZE": "12",
        "CAMDL_RETENTION_DAYS": "12",
        "RETENTION_DAYS": "13",
        "DOWNLOAD_INTERVAL_MINUTES": "15",
    }
    loaded = place.load(environ, timeout=14, batch_size=None, stream_names=["a"])
    of = {key: (getattr(loaded.settings, key), loaded.sources[key]) for key in Settings.__slots__}
    assert of["timeout"] == (14, "--timeout")
    assert of["batch_size"] == (12, "CAMDL_BATCH_SIZE")
    assert of["retention_days"] == (12, "CAMDL_RETENTION_DAYS")
    assert of["download_interval_minutes"] == (15, "DOWNLOAD_INTERVAL_MINUTES")
    assert of["concurrent_downloads"] == (11, str(place.file))
    assert of["max_retries"] == (3, "default")
    assert of["stream_names"] == (("a",), "--stream")


def test_every_key_is_a_variable_too(place: Place) -> None:
    """Lists are separated by commas, and yes and no have many names."""
    environ = {
        "CAMDL_STREAM_NAMES": "a, b,",
        "CAMDL_DOWNLOAD_DIR": "/srv/images",
        "CAMDL_EXPONENTIAL_BACKOFF": "no",
        "CAMDL_HEADLESS": "0",
        "CAMDL_MAX_IMAGE_BYTES": "5 MB",
        "CAMDL_BACKOFF_MULTIPLIER": " 1.5 ",
        "CAMDL_BROWSER_EXECUTABLE": "/usr/bin/chromium",
        "DATABASE_URL": "postgres://db.example/camdl",
    }
    settings = place.load(environ).settings
    assert settings.stream_names == ("a", "b")
    assert settings.download_dir == Path("/srv/images")
    assert (settings.exponential_backoff, settings.headless) == (False, False)
    assert (settings.max_image_bytes, settings.backoff_multiplier) == (5_000_000, 1.5)
    assert settings.browser_executable == "/usr/bin/chromium"
    assert settings.database_url == "postgresql://db.example/camdl"


def test_an_empty_variable_is_none(place: Place) -> None:
    """Compose files and unit files set variables to nothing where they mean not to set them."""
    environ = {"CAMDL_TIMEOUT": "", "RETENTION_DAYS": " ", "CAMDL_CONFIG": ""}
    assert place.load(environ).settings == Settings()


def test_the_file_is_found_in_this_order(place: Place, tmp_path: Path) -> None:
    """The flag, the variable, here, the user's own in its two places, the machine's."""
    names = ["flag.toml", "variable.toml", "camdl.toml", "xdg/camdl/config.toml"]
    files = [
        tmp_path / name for name in [*names, "home/.config/camdl/config.toml", "etc/config.toml"]
    ]
    for number, file in enumerate(files, 5):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"timeout = {number}")
    home = {"HOME": str(tmp_path / "home")}
    xdg = home | {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    variable = xdg | {"CAMDL_CONFIG": "variable.toml"}
    asked: list[Loaded] = [load({}, Path("flag.toml"), variable, tmp_path)]
    asked += [load({}, None, variable, tmp_path), load({}, None, xdg, tmp_path)]
    place.file.unlink()
    asked += [load({}, None, xdg, tmp_path), load({}, None, home, tmp_path)]
    asked += [load({}, None, home | {"XDG_CONFIG_HOME": "relative"}, tmp_path)]
    asked += [load({}, None, {}, tmp_path)]
    assert [loaded.file for loaded in asked] == [*files[:-1], *files[-2:]]
    assert [loaded.settings.timeout for loaded in asked] == [5, 6, 7, 8, 9, 9, 10]


@pytest.mark.parametrize("by", ["--config", "CAMDL_CONFIG"])
def test_a_file_that_was_asked_for_must_be_there(place: Place, by: str) -> None:
    """A wrong name is an error, not a run with the defaults."""
    file = Path("no.toml")
    flag, environ = (file, {}) if by == "--config" else (None, {by: str(file)})
    with pytest.raises(ConfigError, match=rf"no\.toml: no such file \(given by {by}\)"):
        load({}, flag, environ, place.root)


def test_a_file_that_cannot_be_read_is_an_error(place: Place) -> None:
    """Something is there under the name, but no file."""
    place.file.mkdir()
    assert place.refused() == [f"{place.file}: cannot be read: Is a directory"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"timeout = 1\ntimeout =", "at line 2"),
        (b"timeout = 1\ntimeout = 2\n", "at line 2"),
        (b"# \xff\n", "not UTF-8 text (at line 1)"),
        (b"a\n\n# f\xfcr\n", "not UTF-8 text (at line 3)"),
        (b"a\n[b", "at line 1"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(place: Place, data: bytes, told: str) -> None:
    """A slip of the pen is found at once."""
    place.file.write_bytes(data)
    (problem,) = place.refused()
    assert problem.startswith(f"{place.file}: ")
    assert told in problem


def test_a_byte_order_mark_is_no_error(place: Place) -> None:
    """Some editors put one there."""
    place.file.write_bytes(b"\xef\xbb\xbftimeout = 9")
    assert place.load().settings.timeout == 9


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("retention_dayz = 3", "retention_dayz: no such key; did you mean retention_days?"),
        ("zzz = 3", "zzz: no such key; known are alert_after, "),
        ("timeout = 'soon'", 'timeout = "soon": must be a number from 1 to 600'),
        ("timeout = 0", "timeout = 0: must be a number from 1 to 600"),
        ("max_retries = true", "max_retries = true: must be a whole number from 1 to 20"),
        ("stream_names = 'a'", 'stream_names = "a": must be a list of different names'),
        ("stream_names = ['a', 'a']", 'stream_names = ["a", "a"]: names a stream twice'),
        ("timeout = 2025-01-01", "timeout = 2025-01-01: must be a number"),
        ("[timeout]\na = 1", "timeout = a table: must be a number"),
        ("download_dir = 's3://b/p'", "is not supported by this version yet"),
        ("page = 'https://h/'", "page: no such key here; it belongs below a line [sites.NAME]"),
        ("sites = 1", "sites: must be tables, each [sites.NAME]"),
        ("[[streams]]\na = 1", "streams: must be tables, each [streams.NAME]"),
        ("[streams]\na = 1", "streams.a: must be a table, [streams.a]"),
        ("[streams.'In Gate']", "streams.In Gate: must be a name of 1 to 64"),
        ("[streams.a]\nsite = 'dray'", "no such site; did you mean draydog?"),
        ("[streams.a]\nsite = 5", "streams.a.site = 5: must be a name"),
        ("[streams.a]\ntimeout = 5", "streams.a.timeout: no such key here; it belongs above"),
        ("[streams.a]\nimages = 'x'", "streams.a.images: no such key; did you mean image?"),
        ("[streams.a]\ntimezone = 'X/Y'", 'streams.a.timezone = "X/Y": must be a time zone'),
        ("[sites.draydog]\nsite = 'x'", "sites.draydog.site: no such key; known are closed, "),
        ("[sites.x]\npage = 'https://h/'", "sites.x: needs image"),
        ("[sites.x]\n[streams.a]\nsite = 'x'", "sites.x: needs page and image"),
        ("[sites.draydog]\nimage = 'https://h/'", "its {time:…} codes must tell year"),
        ("run_deadline_seconds = 600", "must be below download_interval_minutes (10 minutes, 600"),
        ("retry_delay_seconds = 90", "max_retry_delay_seconds = 60: must not be below"),
        ("disk_warning_percent = 95", "must be below disk_critical_percent (90), from default"),
        (f"{MAIL}\nsmtp_host = 'h'", '["a@b.example"]: needs alert_email_from, which is not set'),
        (f"{MAIL}\nalert_email_from = 'c@d'", "needs smtp_host, which is not set"),
        ("smtp_host = 'h'", "has nobody to send mail to: alert_email_to is not set"),
        ("smtp_password = 'hunter2'", 'smtp_password = "***": needs smtp_user, which is not set'),
        (
            f"{MAIL}\n{SERVER}\nsmtp_security = 'none'",
            'smtp_security = "none": must be starttls or tls where a password leaves this machine',
        ),
        (
            "alert_webhook_url = 'ftp://hunter2'",
            "alert_webhook_url: must be an http:// or https://",
        ),
        ("ping_url = 'https://h/{jobs}'", "ping_url: the only field of a ping's URL is {job}"),
        ("alert_apprise_urls = ['hunter2']", "alert_apprise_urls: must be a list of URLs"),
        ("alert_on = 'degraded'", "must be one of warning, critical"),
    ],
)
def test_what_is_wrong_is_told(place: Place, text: str, problem: str) -> None:
    """File, key, value, what is allowed and what was probably meant, in one line."""
    (line,) = place.write(text).refused()
    assert problem in line
    assert line.startswith(f"{place.file}: ") or "max_retry_delay_seconds" in line


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"CAMDL_TIMEOUTS": "3"}, "CAMDL_TIMEOUTS: no such setting; did you mean CAMDL_TIMEOUT?"),
        ({"CAMDL_timeout": "3"}, "CAMDL_timeout: no such setting; did you mean CAMDL_TIMEOUT?"),
        ({"CAMDL_TIMEOUT": "x"}, 'CAMDL_TIMEOUT = "x": must be a number from 1 to 600'),
        ({"CAMDL_BATCH_SIZE": "1.5"}, 'CAMDL_BATCH_SIZE = "1.5": must be a whole number'),
        ({"CAMDL_HEADLESS": "maybe"}, 'CAMDL_HEADLESS = "maybe": must be one of 1, true, yes'),
        ({"RETENTION_DAYS": "0"}, 'RETENTION_DAYS = "0": must be a whole number from 1'),
        ({"CAMDL_STREAM_NAMES": "../x"}, 'CAMDL_STREAM_NAMES = "../x": must be a list'),
    ],
)
def test_a_wrong_variable_is_told(place: Place, environ: dict[str, str], problem: str) -> None:
    """The variable is named as it is set."""
    (line,) = place.refused(environ)
    assert line.startswith(problem)


def test_variables_that_are_no_settings_are_left_alone(place: Place) -> None:
    """Those of others, and the two of camdl that say something else."""
    environ = {"CAMDL_REAL_FRAMES": "/photos", "PATH": "/bin", "TIMEOUT": "x", "CAMDLX": "1"}
    assert place.load(environ).settings == Settings()


def test_a_wrong_flag_is_told(place: Place) -> None:
    """As the flag is written."""
    assert place.refused(max_retries=0) == [
        "--max-retries = 0: must be a whole number from 1 to 20"
    ]


def test_everything_wrong_is_told_at_once(place: Place) -> None:
    """Nobody has to run it again for the next problem, overridden values included."""
    place.write("timeout = 0\nbatch = 1\n[streams.a]\nsite = 'x'\n[streams.b]\npages = 'x'")
    lines = place.refused({"CAMDL_TIMEOUT": "5", "CAMDL_X": "1"})
    assert len(lines) == 5
    for part in ("timeout = 0", "batch:", "CAMDL_X:", "streams.a.site", "streams.b.pages"):
        assert sum(part in line for line in lines) == 1


@pytest.mark.parametrize(
    ("minutes", "seconds", "where"),
    [(5, 240, "80 % of download_interval_minutes"), (10, 480, "default"), (60, 480, "default")],
)
def test_the_deadline_follows_the_interval(
    place: Place, minutes: int, seconds: int, where: str
) -> None:
    """Whoever sets the interval alone need not know of the deadline."""
    loaded = place.load({"DOWNLOAD_INTERVAL_MINUTES": str(minutes)})
    assert loaded.settings.run_deadline_seconds == seconds
    assert loaded.sources["run_deadline_seconds"] == where
    assert loaded.streams()[0].interval == timedelta(minutes=minutes)


def test_a_stream_may_differ_from_its_site_in_anything(place: Place) -> None:
    """The file overrides single keys of the built-in site, and a stream those of its site."""
    loaded = place.write(
        f"""
        [sites.draydog]
        date_picker = "#day"
        [sites.port]
        page = "http://127.0.0.1:8765/{{stream}}/page"
        image = "{IMAGE}"
        [streams.quay]
        site = "port"
        timezone = "America/Los_Angeles"
        interval_minutes = 2.5
        min_image_size = [800, 600]
        [streams.in_gate]
        page_hosts = ["api.example"]
        """
    ).load()
    quay, in_gate = loaded.streams()
    assert quay.page == "http://127.0.0.1:8765/quay/page"
    assert (quay.thumbnail, quay.date_picker, quay.page_hosts) == (None, "", ())
    assert (quay.min_width, quay.min_height) == (800, 600)
    assert quay.interval == timedelta(minutes=2.5)
    assert quay.timezone.key == "America/Los_Angeles"
    capture = Capture(datetime(2025, 9, 8, 20, 0, tzinfo=UTC), "quay")
    assert quay.image.url(capture) == "https://cdn.example/2025-09-08T13:00:00-quay.jpeg"
    assert (in_gate.date_picker, in_gate.page_hosts) == ("#day", ("api.example",))
    assert loaded.sources["streams.quay.timezone"] == str(place.file)
    assert loaded.sources["sites.draydog.date_picker"] == str(place.file)
    assert loaded.sources["sites.draydog.page"] == "default"
    assert "[streams.NAME]" in loaded.sources["stream_names"]


def test_a_stream_that_is_not_collected_can_be_asked_for(place: Place) -> None:
    """`stream_names` says which are collected; each name counts once."""
    loaded = place.write("stream_names = ['a']\n[streams.b]\n[streams.a]").load()
    assert [stream.name for stream in loaded.streams()] == ["a"]
    assert [stream.name for stream in loaded.streams(["b", "a", "b"])] == ["b", "a"]


def test_an_unknown_stream_is_a_usage_error_that_lists_the_known_ones(place: Place) -> None:
    """With the one that was probably meant."""
    with pytest.raises(UsageError, match="did you mean in_gate") as caught:
        place.load().streams(["in_gait"])
    assert caught.value.advice == "The streams are: in_gate, out_gate"
    with pytest.raises(UsageError, match=r"^no stream is called 'zzz'$"):
        place.load().streams(["zzz"])


def test_two_streams_cannot_have_the_same_images(place: Place) -> None:
    """Otherwise each picture would be archived under two names."""
    image = "image = 'https://cdn.example/{time:%s}.jpg'"
    (problem,) = place.write(f"[streams.a]\n{image}\n[streams.b]\n{image}").refused()
    assert problem.startswith(f"{place.file}: streams.b: its image is that of a;")
    other = image.replace(".jpg", ".jpeg")
    assert len(place.write(f"[streams.a]\n{image}\n[streams.b]\n{other}").load().streams()) == 2


def test_a_secret_may_come_from_a_file(place: Place) -> None:
    """Named in the configuration file or in a variable; white space around it is no part of it."""
    secret = place.root / "secret"
    secret.write_text(f"{DATABASE}\n")
    place.write(f"database_url_file = '{secret}'")
    loaded = place.load()
    assert loaded.settings.database_url == DATABASE
    assert loaded.sources["database_url"] == f"{secret} ({place.file})"
    other = place.root / "other"
    other.write_text("sqlite:///other.db")
    by_variable = place.load({"CAMDL_DATABASE_URL_FILE": str(other)})
    assert by_variable.settings.database_url == "sqlite:///other.db"
    plain = place.load({"DATABASE_URL": "sqlite:///plain.db"})
    assert plain.settings.database_url == "sqlite:///plain.db"
    assert "database_url_file" not in plain.sources


def test_systemds_credentials_are_used_unless_something_else_is_said(place: Place) -> None:
    """A unit only needs LoadCredential=database_url."""
    (place.root / "database_url").write_text(DATABASE)
    environ = {"CREDENTIALS_DIRECTORY": str(place.root)}
    loaded = place.load(environ)
    assert loaded.settings.database_url == DATABASE
    assert loaded.sources["database_url"].endswith("database_url ($CREDENTIALS_DIRECTORY)")
    place.write("database_url = 'sqlite:///own.db'")
    assert place.load(environ).settings.database_url == "sqlite:///own.db"
    (place.root / "database_url").unlink()
    place.file.unlink()
    assert place.load(environ).settings == Settings()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"database_url = '{DATABASE}'\ndatabase_url_file = 'x'", "database_url is given too"),
        ("database_url_file = 'nowhere'", "nowhere cannot be read: No such file or directory"),
        ("database_url_file = 'binary'", "binary cannot be read: not UTF-8 text"),
        ("database_url_file = 'empty'", "empty: must be sqlite:///FILE or postgresql://"),
        (f"database_url_file = '{DATABASE}'", "database_url_file: must be a path"),
        (f"database_url = 'x{DATABASE}'", "database_url: must be sqlite:///FILE or postgresql://"),
        (f"database_url = ['{DATABASE}']", "database_url: must be sqlite:///FILE or postgresql://"),
        (f"download_dir = '{DATABASE}'", "must be a directory"),
        (f"[streams.a]\npage_hosts = ['{DATABASE}']", "must be a list of hosts"),
        ("[streams.a]\nimage = 'https://u:hunter2@h/{x}'", "a lone '{'"),
    ],
)
def test_no_error_shows_a_secret(
    place: Place, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    """Wherever a secret was put by mistake."""
    monkeypatch.chdir(place.root)
    (place.root / "binary").write_bytes(b"\xff\xfe")
    (place.root / "empty").write_text("\n")
    lines = place.write(text).refused()
    assert any(told in line for line in lines)
    assert all("hunter2" not in line for line in lines)


def test_no_representation_shows_a_secret(place: Place) -> None:
    """Logs and tracebacks may hold what `repr` gives."""
    loaded = place.load({"DATABASE_URL": DATABASE})
    assert "hunter2" not in repr(loaded)
    assert "hunter2" not in repr(loaded.settings)


def test_a_home_that_cannot_be_looked_into_has_no_file(place: Place) -> None:
    """A hardened service may have a home directory that is closed to it, or none."""
    assert place.load({"HOME": os.devnull}).file is None
    assert place.load({"XDG_CONFIG_HOME": os.devnull, "HOME": "/"}).file is None


def test_alerts_need_little(place: Place) -> None:
    """A server on this machine needs neither a login nor encryption; each is right by itself.

    So is a user without a password, which only systemd's services may have.
    """
    text = f"{MAIL}\nalert_email_from = 'camdl@gate.example'\nsmtp_host = 'localhost'\n"
    place.write(f"{text}smtp_security = 'none'\nsmtp_user = 'u'\nsmtp_password = 'p'")
    settings = place.load().settings
    assert (settings.smtp_port, settings.smtp_security) == (None, "none")
    place.write(f"{text}smtp_user = 'u'")
    assert (place.load().settings.smtp_user, place.load().settings.smtp_password) == ("u", "")
    assert settings.alert_email_to == ("a@b.example",)


def test_every_secret_of_alerts_may_come_from_a_file(place: Place) -> None:
    """Or from systemd's credentials; a file may name a URL a line."""
    credentials = place.root / "credentials"
    credentials.mkdir()
    (credentials / "ping_url").write_text("https://hc.example/{job}\n")
    (place.root / "password").write_text("hunter2 squirrel\n")
    (place.root / "hook").write_text("https://hook.example/hunter2\n")
    (place.root / "urls").write_text("ntfy://a/b,c\njson://d, xml://e\n\n")
    place.write(
        f"{MAIL}\nalert_email_from = 'c@d'\nsmtp_host = 'h'\nsmtp_user = 'u'\n"
        f"smtp_password_file = '{place.root}/password'\n"
        f"alert_webhook_url_file = '{place.root}/hook'"
    )
    environ = {
        "CREDENTIALS_DIRECTORY": str(credentials),
        "CAMDL_ALERT_APPRISE_URLS_FILE": f"{place.root}/urls",
    }
    settings = place.load(environ).settings
    assert settings.smtp_password == "hunter2 squirrel"  # noqa: S105  # nobody's
    assert settings.alert_webhook_url == "https://hook.example/hunter2"
    assert settings.alert_apprise_urls == ("ntfy://a/b,c", "json://d", "xml://e")
    assert settings.ping_url == "https://hc.example/{job}"
    assert "hunter2" not in repr(settings)
