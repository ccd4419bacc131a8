"""A gate site, as other runs of the whole program have it."""

from __future__ import annotations

from tests.runs.conftest import gate, site

__all__ = ["gate", "site"]
