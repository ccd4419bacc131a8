"""Every fault that camdl must survive is brought about, and the archive is looked at after it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.faults import FAULTS, NOT_HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

# Each makes sure, at the end of its test, of what holds after every fault.
CAREFUL = {"program", "fresh", "ground", "month", "camdl"}


def marked() -> Iterator[tuple[int, str, set[str]]]:
    """The number of a fault, the test that is marked with it, and the fixtures of that."""
    for file in sorted(Path(__file__).parents[1].rglob("test_*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                fixtures = {one.arg for one in node.args.args}
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                        for one in mark.args:
                            yield ast.literal_eval(one), f"{file.name}::{node.name}", fixtures


def test_each_is_brought_about() -> None:
    """There is a test for each, but for those that have a reason; and none for what is no fault."""
    numbers = {number for number, _, _ in marked()}
    assert numbers == FAULTS.keys() - NOT_HERE.keys()


def test_each_ends_with_a_look_at_the_archive() -> None:
    """A fault is survived when the archive is sound after it, not when an error is told."""
    assert [test for _, test, fixtures in marked() if not fixtures & CAREFUL] == []
