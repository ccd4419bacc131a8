"""Foreign text made safe to show: what a server or a page says becomes one printable line."""

from __future__ import annotations


def one_line(text: str, limit: int = 300) -> str:
    """`text` in one line of at most `limit` characters, with nothing in it that moves a cursor.

    White space becomes single blanks; every other character that does not print is escaped.
    """
    words = " ".join(text.split())
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"
