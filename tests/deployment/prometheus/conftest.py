"""A gate site and the program for it, as other runs of the whole program have it."""

from __future__ import annotations

from tests.runs.conftest import gate, program, site

__all__ = ["gate", "program", "site"]
