"""Public pipelines, written as specs: each checks, builds, and makes what plain tf.data makes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata import registry
from tests.pipelines.case import HERE, Case, Run, collect
from tests.pipelines.page import PAGE, catalogue, load_cases, page

CASES = load_cases()


@pytest.mark.tf
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_public_pipeline_as_a_spec(case: Case, tmp_path: Path, tf: Any) -> None:
    """The spec has no problem but those that the public pipeline has, every place is bounded, elements are right."""
    if case.needs:
        pytest.importorskip(case.needs)
    case.make(tmp_path)
    verdict = safedata.check(case.spec, folder=tmp_path, host="16GiB", **case.params)
    errors = [str(one) for one in verdict.problems if one.severity == "error"]
    assert not errors
    assert {one.code for one in verdict.problems if one.severity == "warning"} == case.warns
    assert verdict.places
    assert not [place for place, one in verdict.places.items() if one.bytes is None]
    tf.random.set_seed(5)
    dataset = safedata.load(case.spec, folder=tmp_path, host="16GiB", **case.params)
    case.compare(Run(tmp_path, dataset, collect(dataset, case.take)))


def test_every_spec_has_a_test() -> None:
    """No spec lies in the groups' folders that no test reads."""
    assert set(HERE.glob("?/*.yaml")) == {case.spec for case in CASES.values()}


def test_the_page_is_fresh() -> None:
    """`docs/pipelines.md` says what the tests cover; `python -m tests.pipelines` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_what_is_not_covered_says_why() -> None:
    """Every pipeline of the catalogue is covered or has a reason, and what is said to lack is not there."""
    known = catalogue()
    assert set(CASES) <= set(known)
    there = {name for kind in ("ops", "stages", "sources") for name in registry.names(kind)}
    for name, one in known.items():
        assert (name in CASES) != ("lacks" in one or "because" in one), name
        assert not there.intersection(one.get("lacks", [])), f"{name}: there is one now, so write its spec"
