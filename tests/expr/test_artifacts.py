"""Artifacts in expressions: numbers of statistics, sizes of lists, and words that values are looked up in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.artifacts import Artifacts
from safedata.artifacts.heading import Origin
from safedata.artifacts.statistics import write_statistics
from safedata.expr import parse
from safedata.expr.artifact import names_in
from safedata.problem import Fault
from safedata.spec.artifacts import ARTIFACTS
from safedata.types import Dim, Tensor

TEXT = Tensor("string", (Dim.exactly(3),), Dim.at_most(9))


@pytest.fixture
def artifacts(tmp_path: Path) -> Artifacts:
    """A list of texts, and statistics of one component and of two."""
    (tmp_path / "cities.txt").write_text("oslo\nrome\nβonn\n", encoding="utf-8")
    origin = Origin("", "")
    write_statistics(str(tmp_path / "one.json"), {"age": {"mean": 2.5, "count": 4}}, origin)
    per_channel = {"mean": [1.0, 2.0, 4.0], "min": 0.0}
    write_statistics(str(tmp_path / "two.json"), {"age": {"mean": 3.0}, "in/out": per_channel}, origin)
    declared = {name: f"{name}.{'txt' if name == 'cities' else 'json'}" for name in ("cities", "one", "two")}
    return Artifacts(ARTIFACTS.validate_python(declared), str(tmp_path), "s.yaml")


@pytest.mark.parametrize(
    ("text", "shown", "value"),
    [
        ("one.age.mean", "float32[]", 2.5),
        ("one.mean * 2", "float32[]", 5.0),
        ("one.count", "int64[]", 4),
        ('two["in/out"].mean', "float32[3]", [1.0, 2.0, 4.0]),
        ("two.age.mean + cities.size", "float32[]", 6.0),
        ("cities.classes", "int64[]", 3),
        ("[n * i for i in two['in/out'].mean]", "float32[3]", [2.0, 4.0, 8.0]),
        ("one_hot(n, cities.size)", "float32[3]", [0.0, 0.0, 1.0]),
    ],
)
@pytest.mark.tf
def test_numbers_are_constants(artifacts: Artifacts, text: str, shown: str, value: Any) -> None:
    """A number of an artifact is what the same literal would be."""
    import tensorflow as tf

    expression = parse(text, artifacts)
    assert str(expression.infer({"n": Tensor("int64")})) == shown
    made = expression.lower(tf, {"n": tf.constant(2, tf.int64)})
    assert made.numpy().tolist() == value


@pytest.mark.tf
def test_words_are_looked_up(artifacts: Artifacts) -> None:
    """Each value is in a list of words if one of its lines is that text, alone and in a batch."""
    import tensorflow as tf

    given = [["rome", "", "oslo"], ["βonn", "Rome", "oslo "]]
    for text, wanted in (("s in cities", True), ("s not in cities", False)):
        expression = parse(text, artifacts)
        assert expression.infer({"s": TEXT}) == Tensor("bool", TEXT.shape)
        assert expression.resident > 0
        assert not expression.on_gpu
        assert (expression.workspace({"s": TEXT}) or 0) >= 3 * (64 + 5)
        batch = expression.lower(tf, {"s": tf.constant(given)}, 1).numpy().tolist()
        each = [expression.lower(tf, {"s": tf.constant(one)}).numpy().tolist() for one in given]
        found = [[True, False, True], [True, False, False]]
        assert batch == each == [[one == wanted for one in row] for row in found]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("one.age.maen", "SD424", "has no `maen` for `one.age`"),
        ("one.age.quantiles", "SD424", "has no `quantiles`"),
        ("two.mean", "SD424", "has numbers of 2 components"),
        ("two.old.mean", "SD424", "`two` has no `old`"),
        ("tow.size", "SD424", "no artifact `tow`"),
        ("n in tow", "SD424", "no artifact `tow`"),
        ("one.size", "SD423", "no list of words"),
        ("cities.mean", "SD423", "no JSON"),
        ("n in cities", "SD208", "has texts, and this is `int64`"),
        ("n.mean.x()", "SD120", "only functions of the language"),
    ],
)
def test_what_an_artifact_has_not(artifacts: Artifacts, text: str, code: str, message: str) -> None:
    """A name that no artifact has is an error at its place in the text."""
    with pytest.raises(Fault, match=message) as caught:
        parse(text, artifacts).infer({"n": Tensor("int64")})
    assert caught.value.code == code
    assert code == "SD423" or caught.value.within is not None


def test_without_artifacts_nothing_changes() -> None:
    """In a spec without artifacts a dot and a bare name behind `in` stay errors of form."""
    for text, message in (("one.mean", "not part of the language"), ("n in words", "list of constants")):
        with pytest.raises(Fault, match=message) as caught:
            parse(text)
        assert caught.value.code == "SD120"


def test_names_that_may_be_artifacts() -> None:
    """The names before a dot and those behind `in` are found without reading any file."""
    assert names_in("a.b.c + d > 1 and x not in e or f['g.h'] in [1] or k['u'].v") == {"a", "e", "k"}
    assert names_in("a +") == frozenset()


SPEC = """\
safedata: 1
artifacts:
  cities: {path: made/cities.txt, analyze: {vocabulary: {of: city, min_count: 2}}}
  stats: {path: made/stats.json, analyze: {statistics: {of: age}}}
source: {csv: {path: rows.csv}}
steps:
  - shuffle: 10
  - filter: city in cities
  - map: {age: "= (age - stats.age.mean) / stats.age.std"}
"""


@pytest.mark.tf
def test_a_spec_analyzes_what_its_expressions_name(tmp_path: Path) -> None:
    """`analyze` takes an artifact before the first expression that names it; a change of the steps makes it stale."""
    rows = [("rome", 3), ("oslo", 5), ("rome", 8), ("bonn", 1), ("rome", 4)]
    text = "city,age\n" + "".join(f"{city},{age}\n" for city, age in rows)
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    spec = tmp_path / "s.yaml"
    spec.write_text(SPEC, encoding="utf-8")
    missing = safedata.check(spec, host="8GiB")
    assert [problem.code for problem in missing.problems] == ["SD421", "SD421"]
    report = safedata.analyze(spec)
    assert {made.name: made.facts.get("kept") for made in report.made} == {"cities": 1, "stats": None}
    assert report.made[1].facts["components"]["age"]["mean"] == 5.0  # of the rows that the filter keeps
    verdict = safedata.check(spec, host="8GiB")
    assert not verdict.problems
    assert verdict.plan is not None
    assert "the words of an artifact" in [hold.why for step in verdict.plan.steps for hold in step.holds]
    ages = sorted(float(one["age"]) for one in safedata.load(spec, host="8GiB"))
    spread = (((3 - 5) ** 2 + (8 - 5) ** 2 + (4 - 5) ** 2) / 3) ** 0.5
    assert ages == pytest.approx([(age - 5) / spread for age in (3, 4, 8)])
    spec.write_text(SPEC.replace("city in cities", "age > 3 and city in cities"), encoding="utf-8")
    assert {problem.code for problem in safedata.check(spec, host="8GiB").problems} == {"SD422"}
