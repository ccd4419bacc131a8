"""The metrics that Prometheus reads."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from camdl.domain.assessment import assess
from camdl.domain.failures import FailureKind
from camdl.domain.figures import Figures, Gaps
from camdl.domain.gaps import State
from camdl.domain.health import Database, LockHolder, Status, exit_code
from camdl.domain.outcomes import Outcome
from camdl.domain.totals import Name, Total
from camdl.report.metrics import text
from tests.support.facts import NOW, any_facts, facts, minutes, stream

if TYPE_CHECKING:
    from camdl.domain.facts import Facts

FIGURES = Figures(
    {
        Total(Name.CAPTURES, "in_gate"): 7,
        Total(Name.BYTES, "in_gate"): 2**40,
        Total(Name.ADDED, "gone"): 3,
        Total(Name.FAILURES, "in_gate", "timeout"): 5,
        Total(Name.RUNS, "backfill", "failed"): 2,
    },
    (Gaps("in_gate", State.OPEN, 2, 9),),
    {"in_gate": 4},
)
LABELS = {
    *("version", "status", "check", "verb", "outcome", "stream", "site", "kind", "state"),
}


def read(told: str) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels, in the order of their names."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
    }


def test_what_a_healthy_archive_tells() -> None:
    """Everything that is known of it, in base units."""
    holder = LockHolder("download", 7, NOW - minutes(2))
    told = read(text(assess(facts(stream(age=minutes(5)), lock=holder), NOW), FIGURES))
    assert {
        ("camdl_build_info", "1.0"): 1,
        ("camdl_health_timestamp_seconds",): NOW.timestamp(),
        ("camdl_status", "healthy"): 1,
        ("camdl_status", "critical"): 0,
        ("camdl_check_status", "stream.in_gate.newest"): 0,
        ("camdl_database_up",): 1,
        ("camdl_disk_used_ratio",): 0.419,
        ("camdl_disk_free_bytes",): 10**9,
        ("camdl_disk_inodes_used_ratio",): 0.03,
        ("camdl_clock_offset_seconds",): 0.2,
        ("camdl_lock_held_seconds",): 120,
        ("camdl_run_interval_seconds", "cleanup"): 86400,
        ("camdl_run_last_start_timestamp_seconds", "download"): (NOW - minutes(5)).timestamp(),
        ("camdl_run_last_success_timestamp_seconds", "download"): (NOW - minutes(5)).timestamp(),
        ("camdl_run_last_duration_seconds", "download"): 60,
        ("camdl_stream_newest_capture_timestamp_seconds", "apm", "in_gate"): (
            NOW - minutes(5)
        ).timestamp(),
        ("camdl_stream_open_age_seconds", "apm", "in_gate"): 300,
        ("camdl_stream_interval_seconds", "apm", "in_gate"): 600,
        ("camdl_stream_consecutive_failures", "apm", "in_gate"): 0,
        ("camdl_archive_captures", "in_gate"): 7,
        ("camdl_archive_bytes", "in_gate"): 2**40,
        ("camdl_captures_added_total", "gone"): 3,
        ("camdl_captures_added_total", "in_gate"): 0,
        ("camdl_failures_total", "timeout", "in_gate"): 5,
        ("camdl_failures_total", "bug", "in_gate"): 0,
        ("camdl_runs_total", "failed", "backfill"): 2,
        ("camdl_runs_total", "ok", "backfill"): 0,
        ("camdl_pending_captures", "in_gate"): 4,
        ("camdl_gaps", "open", "in_gate"): 2,
        ("camdl_gaps", "confirmed", "in_gate"): 0,
        ("camdl_gap_captures", "open", "in_gate"): 9,
    }.items() <= told.items()


def test_what_is_not_known_is_left_out() -> None:
    """Nothing is called 0 of which nobody knows: not even that nothing was archived."""
    known = facts(
        replace(stream(), history=None),
        database=Database.DISCONNECTED,
        jobs=(),
        disk=None,
        clock=None,
    )
    told = read(text(assess(known, NOW), None))
    assert told["camdl_database_up",] == 0
    assert told["camdl_lock_held_seconds",] == 0
    assert {name for name, *_ in told} == {
        "camdl_build_info",
        "camdl_health_timestamp_seconds",
        "camdl_status",
        "camdl_check_status",
        "camdl_database_up",
        "camdl_lock_held_seconds",
        "camdl_stream_interval_seconds",
    }


@settings(max_examples=50)
@given(any_facts())
def test_every_check_is_told_as_it_was_judged(known: Facts) -> None:
    """Whatever is known, each check and the whole have the numbers of monitoring plugins."""
    health = assess(known, NOW)
    told = read(text(health, None))
    for check in health.checks:
        assert told["camdl_check_status", check.name] == exit_code(check.status)
    assert {status: told["camdl_status", str(status)] for status in Status} == {
        status: float(status is health.status) for status in Status
    }


@given(st.text(min_size=1, max_size=20))
def test_no_name_breaks_the_form(name: str) -> None:
    """Whatever a stream or a site were called, there is one sample of it and it can be read."""
    known = facts(replace(stream(name, site=name), name=name))
    families = list(text_string_to_metric_families(text(assess(known, NOW), None)))
    (ages,) = (one for one in families if one.name == "camdl_stream_open_age_seconds")
    (sample,) = ages.samples
    assert sample.labels["site"].replace("\\n", "\n") == name.replace("\\n", "\n")


def test_names_follow_the_conventions() -> None:
    """Ours by their beginning, their unit by their end, and with labels that have few values."""
    told = text(assess(facts(), NOW), FIGURES)
    names = re.findall(r"^# TYPE (\S+) (\S+)$", told, re.MULTILINE)
    assert len(names) > 25
    for name, kind in names:
        assert name.startswith("camdl_")
        assert name.endswith("_total") == (kind == "counter")
        assert "duration" not in name or name.endswith("_seconds")
        assert not re.search("minutes|percent|_ms|milli", name)
    labels = {label for line in told.splitlines() for label in re.findall(r"[{,](\w+)=", line)}
    assert labels == LABELS


def test_labels_have_the_values_that_there_are() -> None:
    """Of kinds and outcomes all, from the beginning: so that the first one is an increase."""
    told = read(text(assess(facts(), NOW), FIGURES))
    kinds = {key[1] for key in told if key[0] == "camdl_failures_total"}
    assert kinds == {str(kind) for kind in FailureKind}
    outcomes = {key[1] for key in told if key[0] == "camdl_runs_total"}
    assert outcomes == {str(outcome) for outcome in Outcome}


def test_a_capture_of_the_future_has_an_age_below_zero() -> None:
    """As it is: what is judged is told."""
    told = read(text(assess(facts(stream(age=timedelta(minutes=-3))), NOW), None))
    assert told["camdl_stream_open_age_seconds", "apm", "in_gate"] == -180
