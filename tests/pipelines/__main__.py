"""Writes `docs/pipelines.md`: `python -m tests.pipelines`."""

from __future__ import annotations

from tests.pipelines import page

if __name__ == "__main__":
    page.write()
