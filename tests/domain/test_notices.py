"""What people are told: which stream, since when, what was tried, what to do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camdl.domain.alerts import Rules, Sight, Standing, Turn, consider
from camdl.domain.health import Check, Status
from camdl.domain.notices import (
    Item,
    Kind,
    Place,
    as_json,
    compose,
    item_as_json,
    item_of_json,
    name_of,
    trial,
)

NOW = datetime(2026, 11, 24, 20, 40, tzinfo=UTC)
EVERY = timedelta(minutes=10)
RULES = Rules(sites={"in_gate": "apm", "out_gate": "apm"})
PLACE = Place("gate1", "/etc/camdl/config.toml")
REASON = "failed 3 times in a row: http://gate.example/in could not be reached"
ADVICE = "Look at the camera's page."
IN, OUT = "stream.in_gate", "stream.out_gate"


def bad(subject: str, status: Status = Status.CRITICAL) -> Sight:
    """What is wrong with it, as a check says it."""
    reason = f"{name_of(subject)}: {REASON}"
    return Sight(True, status, (Check(f"{subject}.failures", status, reason, ADVICE),))


def good(subject: str) -> Sight:
    """It is well."""
    check = Check(f"{subject}.newest", Status.HEALTHY, f"{name_of(subject)}: 4 min old")
    return Sight(False, Status.HEALTHY, (check,))


def incident(*subjects: str) -> tuple[Turn, dict[str, Sight]]:
    """The turn at `NOW` in which an alert of `subjects` is due, and the verdict that it is of."""
    verdict = {subject: bad(subject) for subject in subjects}
    turn = Turn({})
    for number in (2, 1, 0):
        turn = consider(turn.book, verdict, RULES, NOW - number * EVERY, is_new=True)
    return turn, verdict


def test_an_alert_says_all_that_somebody_needs() -> None:
    """One message of everything, whole."""
    turn, verdict = incident(IN, OUT, "download")
    notice = compose(turn, verdict, RULES, PLACE, now=NOW, notice_id="n1")
    assert notice
    assert (notice.id, notice.kind, notice.at) == ("n1", Kind.ALERT, NOW)
    assert notice.title == "[camdl gate1] CRITICAL: in_gate, out_gate"
    assert notice.body == (
        "in_gate: critical since 2026-11-24 20:20 UTC (20 min)\n"
        f"{REASON}\n"
        "Tried 3 times in a row, the last at 2026-11-24 20:40 UTC.\n"
        f"What to do: {ADVICE}\n"
        "\n"
        "out_gate: critical since 2026-11-24 20:20 UTC (20 min)\n"
        f"{REASON}\n"
        "Tried 3 times in a row, the last at 2026-11-24 20:40 UTC.\n"
        f"What to do: {ADVICE}\n"
        "\n"
        "Bad because of that, or for the same reason:\n"
        f"- camdl download: {REASON}\n"
        "\n"
        "For all of it, on gate1:\n"
        "camdl health -v --config /etc/camdl/config.toml\n"
        "You will be told when it is well again, and each 24 h until then.\n"
    )


def test_a_recovery_says_for_how_long_it_was_bad() -> None:
    """And how it is now, and that nothing else is bad."""
    turn, _ = incident(IN)
    later = NOW + timedelta(hours=2)
    verdict = {IN: good(IN)}
    turn = consider(turn.book, verdict, RULES, later, is_new=True)
    notice = compose(turn, verdict, RULES, Place("gate1"), now=later, notice_id="n")
    assert notice
    assert notice.kind is Kind.RECOVERY
    assert notice.title == "[camdl gate1] recovered: in_gate"
    assert notice.body == (
        "in_gate is well again.\n"
        "It was bad for 2 h 20 min, since 2026-11-24 20:20 UTC.\n"
        "Now: 4 min old\n"
        "\n"
        "For all of it, on gate1:\n"
        "camdl health -v\n"
        "Nothing else that you were told of is bad.\n"
    )


def test_a_second_alert_says_also() -> None:
    """What was told before is not told as news."""
    turn, _ = incident(IN)
    verdict = {IN: bad(IN), "disk": bad("disk", Status.WARNING)}
    for number in (1, 2, 3):
        turn = consider(turn.book, verdict, RULES, NOW + number * EVERY, is_new=True)
    notice = compose(turn, verdict, RULES, PLACE, now=NOW + 3 * EVERY, notice_id="n")
    assert notice
    assert notice.title == "[camdl gate1] ALSO WARNING: disk"
    assert "disk: warning since 2026-11-24 20:50 UTC (20 min)" in notice.body
    assert "Found so 3 times in a row" in notice.body
    assert f"Told of before, and not well yet:\n- in_gate: {REASON}\n" in notice.body
    assert [item.subject for item in notice.items] == ["disk"]


def test_a_reminder_says_still() -> None:
    """With how long it has been so."""
    turn, verdict = incident(IN)
    later = NOW + timedelta(hours=24)
    turn = consider(turn.book, verdict, RULES, later, is_new=True)
    notice = compose(turn, verdict, RULES, PLACE, now=later, notice_id="n")
    assert notice
    assert notice.kind is Kind.REMINDER
    assert notice.title == "[camdl gate1] STILL CRITICAL after 1 d: in_gate"
    assert "Tried 4 times in a row" in notice.body


def test_all_that_changes_at_once_is_one_message() -> None:
    """The most urgent of it gives the message its kind."""
    turn, _ = incident(IN)
    verdict = {IN: bad(IN), "disk": bad("disk")}
    for number in (1, 2):
        turn = consider(turn.book, verdict, RULES, NOW + number * EVERY, is_new=True)
    verdict = {IN: good(IN), "disk": bad("disk")}
    turn = consider(turn.book, verdict, RULES, NOW + 3 * EVERY, is_new=True)
    notice = compose(turn, verdict, RULES, PLACE, now=NOW + 3 * EVERY, notice_id="n")
    assert notice
    assert notice.kind is Kind.ALERT
    assert notice.title == "[camdl gate1] CRITICAL: disk; recovered: in_gate"


def test_what_is_still_bad_goes_with_a_recovery() -> None:
    """Nobody believes that all is well; what the verdict does not speak of is told too."""
    old = Standing(NOW, NOW, bad=9, since=NOW, alerted_at=NOW - EVERY, told_at=NOW)
    turn, _ = incident(IN)
    verdict = {IN: good(IN)}
    book = {**turn.book, "stream.gone": old}
    turn = consider(book, verdict, RULES, NOW + EVERY, is_new=True)
    notice = compose(turn, verdict, RULES, PLACE, now=NOW + EVERY, notice_id="n")
    assert notice
    assert notice.title == "[camdl gate1] recovered: in_gate; still bad: gone"
    assert "- gone: not looked at" in notice.body
    assert "Nothing else" not in notice.body


def test_no_news_is_no_notice() -> None:
    """A turn that tells nothing makes none."""
    assert compose(Turn({}), {}, RULES, PLACE, now=NOW, notice_id="n") is None


def test_many_streams_have_a_short_title() -> None:
    """A telephone shows some forty letters."""
    subjects = [f"stream.gate{number}" for number in range(9)]
    turn, verdict = incident(*subjects)
    notice = compose(turn, verdict, RULES, PLACE, now=NOW, notice_id="n")
    assert notice
    assert notice.title == "[camdl gate1] CRITICAL: gate0, gate1, gate2, gate3 and 5 more"


def test_every_text_goes_through_the_censor() -> None:
    """Title, text, and what programs read."""
    place = Place("gate1", "hunter2.toml", lambda text: text.replace("hunter2", "***"))
    reason = Check("disk", Status.CRITICAL, "token=hunter2", "Ask hunter2.")
    verdict = {"disk": Sight(True, Status.CRITICAL, (reason,)), "x": bad("hunter2")}
    turn = consider({}, verdict, Rules(after=1), NOW, is_new=True)
    notice = compose(turn, verdict, RULES, place, now=NOW, notice_id="n")
    assert notice
    assert "hunter2" not in f"{notice.title}{notice.body}{notice.items[0]}"


def test_a_trial_says_that_nothing_is_wrong() -> None:
    """Whoever gets it need not get up."""
    notice = trial(PLACE, NOW, "n")
    assert notice.kind is Kind.TRIAL
    assert notice.title == "[camdl gate1] trial of the alerts"
    assert "Nothing is wrong." in notice.body
    assert notice.items == ()


def test_programs_get_it_as_json() -> None:
    """With a text for chat programs, and each subject by itself."""
    turn, verdict = incident(IN)
    notice = compose(turn, verdict, RULES, PLACE, now=NOW, notice_id="n1")
    assert notice
    told = json.loads(json.dumps(as_json(notice, "gate1")))
    assert told == {
        "id": "n1",
        "event": "alert",
        "at": "2026-11-24T20:40:00Z",
        "host": "gate1",
        "title": notice.title,
        "text": f"{notice.title}\n\n{notice.body}",
        "subjects": [
            {
                "event": "alert",
                "subject": IN,
                "name": "in_gate",
                "status": "critical",
                "since": "2026-11-24T20:20:00Z",
                "reason": REASON,
                "advice": ADVICE,
            }
        ],
    }


@given(
    st.builds(
        Item,
        st.sampled_from(Kind),
        st.text(max_size=20),
        st.text(max_size=20),
        st.none() | st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0)),
        st.text(max_size=20),
        st.text(max_size=20),
    )
)
def test_a_subject_comes_back_from_json(item: Item) -> None:
    """The outbox keeps it so."""
    assert item_of_json(json.loads(json.dumps(item_as_json(item)))) == item


@pytest.mark.parametrize(
    ("subject", "name"),
    [
        (IN, "in_gate"),
        ("site.apm", "site apm"),
        ("database", "catalogue"),
        ("download", "camdl download"),
        ("disk", "disk"),
    ],
)
def test_subjects_have_names_for_people(subject: str, name: str) -> None:
    """Those of the program are for programs."""
    assert name_of(subject) == name


def test_a_time_without_a_zone_is_refused() -> None:
    """Nobody knows which instant it means."""
    naive = NOW.replace(tzinfo=None)
    turn, verdict = incident(IN)
    with pytest.raises(TypeError, match="no time zone"):
        compose(turn, verdict, RULES, PLACE, now=naive, notice_id="n")
    with pytest.raises(TypeError, match="no time zone"):
        trial(PLACE, naive, "n")
