"""The tables `[sites.NAME]` and `[streams.NAME]` of a file, and the streams that they make."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from camdl.config.keys import BUILT_IN, Site, StreamKeys, defaults, keys
from camdl.config.kinds import shown, stream_name
from camdl.config.layers import Value, of_table, read_all, unset
from camdl.domain.captures import STREAM_NAME
from camdl.domain.closing import ClosedHours
from camdl.domain.sites import Stream
from camdl.domain.templates import UrlTemplate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from camdl.config.keys import Key
    from camdl.config.layers import Problems

_REQUIRED = ("page", "image")


@dataclass(frozen=True, slots=True)
class Tables:
    """What the sites and the streams of the file `place` say, by name and key.

    A key that a site must have is missing only where a problem was noted.
    """

    place: str
    sites: Mapping[str, Mapping[str, Value]]
    streams: Mapping[str, Mapping[str, Value]]

    def values(self, streams: Iterable[str]) -> dict[str, Value]:
        """Every value of every site and of these streams, by its dotted name."""
        tables = {f"sites.{name}": values for name, values in self.sites.items()}
        for name in streams:
            tables[f"streams.{name}"] = {"site": self.site_of(name), **self.streams.get(name, {})}
        return {f"{table}.{key}": value for table in tables for key, value in tables[table].items()}

    def site_of(self, stream: str) -> Value:
        """The name of the site that publishes `stream`."""
        own = self.streams.get(stream, {})
        return own.get("site") or unset(f"streams.{stream}.site", StreamKeys().site)


def read_tables(place: str, sites: object, streams: object, problems: Problems) -> Tables:
    """Check what a file has under `sites` and `streams`."""
    read_sites = {
        name: {key: unset(f"sites.{name}.{key}", value) for key, value in asdict(site).items()}
        for name, site in BUILT_IN.items()
    }
    for name, values in _read("sites", sites, keys(Site), place, problems):
        base = read_sites.get(name) or _optional_keys(name)
        read_sites[name] = base | values
    stream_keys = {**keys(StreamKeys), **keys(Site)}
    read_streams = dict(_read("streams", streams, stream_keys, place, problems))
    return Tables(place, read_sites, read_streams)


def build_streams(
    tables: Tables, names: Iterable[str], interval_minutes: float, problems: Problems
) -> dict[str, Stream]:
    """The streams of these names; `interval_minutes` is that of those which do not say it."""
    built: dict[str, Stream] = {}
    for name in names:
        site = tables.site_of(name)
        if site.value not in tables.sites:
            label = f"{site.label} = {shown(site.value)}"
            problems.unknown(label, site.value, tables.sites, "site")
            continue
        values = {**tables.sites[site.value], **tables.streams.get(name, {})}
        if values.keys() >= set(_REQUIRED):
            built[name] = _stream(name, site.value, values, interval_minutes)
    _forbid_twins(built, tables.place, problems)
    return built


def _read(
    what: str, tables: object, known: Mapping[str, Key], place: str, problems: Problems
) -> Iterator[tuple[str, dict[str, Value]]]:
    """Each table's name, and what is right in it."""
    if not isinstance(tables, dict):
        problems.add(f"{place}: {what}", f"must be tables, each [{what}.NAME]")
        return
    for name, table in tables.items():
        label = f"{place}: {what}.{name}"
        if not STREAM_NAME.fullmatch(name):
            problems.add(label, f"must be {stream_name.allowed}")
        elif not isinstance(table, dict):
            problems.add(label, f"must be a table, [{what}.{name}]")
        else:
            given = of_table(table, known, place, problems, f"{what}.{name}.")
            missing = [key for key in _REQUIRED if key not in given]
            if what == "sites" and name not in BUILT_IN and missing:
                problems.add(label, f"needs {' and '.join(missing)}")
            yield name, read_all(known, given, problems)


def _optional_keys(site: str) -> dict[str, Value]:
    return {key: unset(f"sites.{site}.{key}", value) for key, value in defaults(Site).items()}


def _stream(name: str, named: str, values: Mapping[str, Value], interval_minutes: float) -> Stream:
    site = Site(**{key: values[key].value for key in keys(Site)})
    zone = ZoneInfo(site.timezone)
    own_interval = values.get("interval_minutes")
    return Stream(
        name=name,
        page=site.page.replace("{stream}", name),
        image=UrlTemplate(site.image, zone),
        thumbnail=UrlTemplate(site.thumbnail, zone) if site.thumbnail else None,
        timezone=zone,
        date_picker=site.date_picker,
        page_hosts=site.page_hosts,
        min_width=site.min_image_size[0],
        min_height=site.min_image_size[1],
        interval=timedelta(minutes=own_interval.value if own_interval else interval_minutes),
        closed=ClosedHours(site.closed, zone),
        site=named,
    )


def _forbid_twins(streams: Mapping[str, Stream], place: str, problems: Problems) -> None:
    """Refuse streams that would archive the same images under two names."""
    owners: dict[str, str] = {}
    for name, stream in streams.items():
        if stream.image.names_stream:
            continue
        owner = owners.setdefault(stream.image.text, name)
        if owner != name:
            problems.add(
                f"{place}: streams.{name}",
                f"its image is that of {owner}; give it one of its own, or put {{stream}} in it",
            )
