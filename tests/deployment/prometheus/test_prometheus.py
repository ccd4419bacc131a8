"""What is shipped for Prometheus: its alerts and its dashboard go with what camdl writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.promtool import promtool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.gate import Gate
    from tests.support.program import Program

SHIPPED = Path(__file__).parents[3] / "deployment" / "prometheus"
RULES = SHIPPED / "camdl.rules.yml"
DASHBOARD = SHIPPED / "camdl.dashboard.json"
RULE_TESTS = Path(__file__).parent / "camdl.rules.test.yml"
RUNBOOK = SHIPPED.parent / "RUNBOOK.md"
# A word is a metric of ours unless it is the value of a label.
METRIC = re.compile(r'(?<!")\bcamdl_\w+')


@pytest.fixture
def metrics(program: Program, gate: Gate) -> str:
    """What an archive writes that has had two runs, of which one got something else than images."""
    file = program.home / "camdl.prom"
    assert program.run("download", CAMDL_METRICS_FILE=str(file)).returncode == 0
    gate.take(1)
    gate.bodies = iter([b"<html>"] * 2)
    assert program.run("download", CAMDL_METRICS_FILE=str(file)).returncode == 1
    return file.read_text()


def names(metrics: str) -> set[str]:
    """The names of all samples."""
    return set(re.findall(r"^(camdl_\w+)", metrics, re.MULTILINE))


def expressions(value: object) -> Iterator[str]:
    """Every query of the dashboard, wherever it stands."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key in ("expr", "definition") and isinstance(one, str):
                yield one
            yield from expressions(one)
    elif isinstance(value, list):
        for one in value:
            yield from expressions(one)


def queries() -> list[str]:
    """The dashboard's expressions in PromQL, for every machine."""
    found = expressions(json.loads(DASHBOARD.read_text()))
    return [
        re.sub(r"^label_values\((\w+), \w+\)$", r"\1", one).replace("$instance", ".*")
        for one in found
    ]


def test_metrics_are_as_prometheus_wants_them(metrics: str) -> None:
    """Its own check finds nothing in what a real archive writes, which lacks none of its runs."""
    checked = promtool("check", "metrics", text=metrics)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    lines = metrics.splitlines()
    assert 'camdl_runs_total{outcome="ok",verb="download"} 1.0' in lines
    assert 'camdl_runs_total{outcome="partly",verb="download"} 1.0' in lines
    assert 'camdl_failures_total{kind="not-an-image",stream="in_gate"} 1.0' in lines
    assert 'camdl_archive_captures{stream="in_gate"} 2.0' in lines


def test_a_wrong_metric_is_noticed(metrics: str) -> None:
    """The check bites."""
    wrong = metrics.replace("camdl_runs_total", "camdl_runs")
    assert promtool("check", "metrics", text=wrong).returncode != 0


def test_the_rules_are_sound() -> None:
    """Prometheus can load them."""
    checked = promtool("check", "rules", RULES)
    assert checked.returncode == 0, checked.stderr


def test_the_rules_do_what_they_are_for() -> None:
    """They fire when they should, and not when they should not."""
    tested = promtool("test", "rules", RULE_TESTS)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_every_alert_is_tested() -> None:
    """Each both when all is well and when it is not."""
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    tests = RULE_TESTS.read_text()
    for alert in alerts:
        assert f"alertname: {alert}, exp_alerts: []" in tests, alert
        assert re.search(rf"alertname: {alert}\n\s+exp_alerts:\n\s+- exp_labels", tests), alert


def test_the_runbook_says_what_to_do_about_every_alert() -> None:
    """Each has its row, and there is none for one that there is no more."""
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    _, section = RUNBOOK.read_text().split("\n## What each of Prometheus' alerts means\n")
    section, _, _ = section.partition("\n## ")
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]+ \|$", section, re.MULTILINE)
    assert rows == alerts


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("> 1800", "> 18000"), ("unless on (instance)", "and on (instance)"), ("== 2", "== 1")],
)
def test_a_wrong_rule_is_noticed(tmp_path: Path, right: str, wrong: str) -> None:
    """The tests of the rules bite."""
    rules = RULES.read_text()
    assert right in rules
    (tmp_path / "wrong.yml").write_text(rules.replace(right, wrong))
    tests = re.sub(r"- \.\./\S+", f"- {tmp_path / 'wrong.yml'}", RULE_TESTS.read_text(), count=1)
    (tmp_path / "tests.yml").write_text(tests)
    assert promtool("test", "rules", tmp_path / "tests.yml").returncode != 0


def test_the_alerts_go_by_metrics_that_there_are(metrics: str) -> None:
    """And by checks that there are, of which the runbook says what to do."""
    rules = "\n".join(
        re.findall(r"expr: (?:>-\n)?((?:.|\n)*?)\n +(?:for|labels):", RULES.read_text())
    )
    assert set(METRIC.findall(rules)) <= names(metrics)
    checks = set(re.findall(r'camdl_check_status\{check="([^"]+)"\}', metrics))
    for pattern in re.findall(r'check=~"([^"]+)"', rules):
        for alternative in pattern.replace("\\\\", "\\").split("|"):
            assert [one for one in checks if re.fullmatch(alternative, one)], alternative
    runbook = RUNBOOK.read_text()
    assert "## What each check means" in runbook
    for check in checks:
        named = re.sub(r"^(stream|site)\.[^.]+", r"\1.NAME", check)
        named = re.sub(r"^(download|cleanup|verify)\.", "JOB.", named)
        assert f"`{named}`" in runbook, check


def test_the_dashboard_shows_metrics_that_there_are(metrics: str) -> None:
    """Every query of it names some, and only those."""
    shown = queries()
    assert len(shown) > 15
    for query in shown:
        used = set(METRIC.findall(query))
        assert used, query
        assert used <= names(metrics), query


def test_the_dashboard_asks_in_promql(tmp_path: Path) -> None:
    """Prometheus understands each query."""
    rules = [{"record": f"q{number}", "expr": one} for number, one in enumerate(queries())]
    # JSON is YAML.
    asked = json.dumps({"groups": [{"name": "dashboard", "rules": rules}]})
    (tmp_path / "queries.yml").write_text(asked)
    checked = promtool("check", "rules", tmp_path / "queries.yml")
    assert checked.returncode == 0, checked.stderr
    (tmp_path / "queries.yml").write_text(asked.replace("sum by (stream)", "sum by stream)"))
    assert promtool("check", "rules", tmp_path / "queries.yml").returncode != 0


def test_the_dashboard_can_be_imported_anywhere() -> None:
    """It names no data source of its own, and each panel has an id and a place of its own."""
    dashboard = json.loads(DASHBOARD.read_text())
    assert dashboard["uid"] == "camdl"
    panels = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in panels):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
