"""Drives a page's date picker: the browser's own, Element UI's or Element Plus's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.async_api import Error

if TYPE_CHECKING:
    from datetime import date

    from playwright.async_api import Locator, Page

# The panel hangs at the end of the body, not in the picker; several may be there, one is open.
_PANEL = ".el-picker-panel.el-date-picker:visible"
# Element UI, then Element Plus.
_EARLIER = ".el-date-picker__header .el-icon-arrow-left, .el-date-picker__header .arrow-left"
_LATER = ".el-date-picker__header .el-icon-arrow-right, .el-date-picker__header .arrow-right"
_DAYS = "td.available:not(.prev-month):not(.next-month)"
_DATE = re.compile(r"(?P<year>\d{4})\D+(?P<month>\d{1,2})\D+(?P<day>\d{1,2})", re.ASCII)
_TIME = re.compile(r"\d+:\d+(:\d+)?", re.ASCII)
_API_CALL = re.compile(r"^\w+\.\w+: ")
_NUMBER = re.compile(r"\d+", re.ASCII)


class PickerError(Exception):
    """The date picker would not show a day; the message says which and why."""


class DatePicker:
    """The date picker of one page, whose input a CSS selector finds."""

    def __init__(self, selector: str) -> None:
        self._selector = selector
        self._picked: date | None = None

    async def is_there(self, page: Page) -> bool:
        """Whether the page shows it by now."""
        return await page.locator(self._selector).count() > 0

    async def pick(self, page: Page, day: date, today: date) -> None:
        """Choose `day`, a day of the page's own time zone; `today` is what an empty picker shows.

        Raises:
            PickerError: it cannot be chosen.
        """
        field = page.locator(self._selector).first
        try:
            if await field.count() == 0:
                raise PickerError(
                    f"no date picker at {self._selector!r}, so {day} was not looked at"
                )
            if await field.get_attribute("type") == "date":
                await field.fill(day.isoformat())
            else:
                await self._pick_in_panel(page, field, day, today)
        except Error as error:
            what = first_line(error)
            raise PickerError(f"the date picker would not show {day}: {what}") from None
        self._picked = day

    async def check(self, page: Page, day: date) -> None:
        """Look whether `day` is what a page at rest shows.

        Raises:
            PickerError: it shows another.
        """
        try:
            value = await page.locator(self._selector).first.input_value()
        except Error as error:
            raise PickerError(f"the date picker went away: {first_line(error)}") from None
        numbers = {int(number) for number in _NUMBER.findall(_TIME.sub("", value))}
        if not numbers <= {day.year, day.year % 100, day.month, day.day}:
            raise PickerError(f"the date picker shows {value!r} instead of {day}")

    async def _pick_in_panel(self, page: Page, field: Locator, day: date, today: date) -> None:
        shown = _month(await field.input_value(), self._picked or today)
        await field.click()
        panel = page.locator(_PANEL).last
        await panel.wait_for()
        months = (day.year - shown[0]) * 12 + day.month - shown[1]
        arrow = panel.locator(_EARLIER if months < 0 else _LATER).first
        for _ in range(abs(months)):
            await arrow.click()
        cell = panel.locator(_DAYS).filter(has_text=re.compile(rf"^\s*{day.day}\s*$")).first
        if await cell.count() == 0:
            await page.keyboard.press("Escape")
            raise PickerError(f"the date picker does not offer {day}")
        await cell.click()


def first_line(error: Error) -> str:
    """What Playwright says of an error, without the call and its log."""
    return _API_CALL.sub("", error.message.partition("\n")[0])


def _month(value: str, known: date) -> tuple[int, int]:
    """Year and month of a picker's value, those of `known` if it does not lead with the year."""
    found = _DATE.search(value)
    return (int(found["year"]), int(found["month"])) if found else (known.year, known.month)
