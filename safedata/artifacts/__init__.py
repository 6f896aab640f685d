"""Artifacts: vocabularies, class lists and statistics in files of their own, which specs name and operations use."""

from __future__ import annotations

from safedata.artifacts.shelf import Artifacts, Input
from safedata.artifacts.statistics import Numbers
from safedata.artifacts.words import Words

__all__ = ["Artifacts", "Input", "Numbers", "Words"]
