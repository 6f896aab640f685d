"""Artifacts from data: what is made, when it is stale, and what a check says."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.problem import DataError, Problem, SpecError

SPEC = """\
safedata: 1
artifacts:
  words: {path: made/words.txt, analyze: {vocabulary: {of: tokens, top: 5}}}
  cities: {path: made/cities.txt, analyze: {classes: {of: city}}}
  stats: {path: made/stats.json, analyze: {statistics: {of: [age, fare], quantiles: 4, missing: -1}}}
source:
  csv: {path: data.csv, columns: {age: int64, fare: float32, city: string, text: string}}
steps:
  - shuffle: 10
  - map: {tokens: [{from: text}, lower, {split_string: {max_tokens: 20, max_bytes: 20}}]}
  - cache: memory
  - repeat: 2
  - map:
      tokens: {vocab_lookup: {artifact: words}}
      city: {vocab_lookup: {artifact: cities, num_oov_indices: 0}}
      age: {scale_feature: {artifact: stats.age}}
      fare: [{fill_missing: {artifact: stats.fare, value: median, missing: -1}}, {bucketize: {artifact: stats.fare}}]
  - padded_batch: 4
  - prefetch: 1
"""
ROWS = 300


def rows() -> list[dict[str, Any]]:
    draw = random.Random(0)
    return [
        {
            "age": draw.randint(0, 90),
            "fare": draw.choice([-1, round(draw.random() * 100, 2)]),
            "city": draw.choice(["Rome", "Oslo", "Århus"]),
            "text": " ".join(
                draw.choice(["the", "The", "cat", "dog", "ran", "sat", "on", "a", "mat"])
                for _ in range(draw.randint(0, 9))
            ),
        }
        for _ in range(ROWS)
    ]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    """A spec with three artifacts, and its data."""
    with (tmp_path / "data.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, ["age", "fare", "city", "text"])
        table.writeheader()
        table.writerows(rows())
    path = tmp_path / "spec.yaml"
    path.write_text(SPEC, encoding="utf-8")
    return path


def changed(spec: Path, old: str, new: str) -> None:
    text = spec.read_text(encoding="utf-8")
    assert old in text
    spec.write_text(text.replace(old, new), encoding="utf-8")


def errors(spec: Path) -> list[Problem]:
    return [problem for problem in safedata.check(spec).problems if problem.severity == "error"]


def made(spec: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in (spec.parent / "made").iterdir()}


def test_a_check_asks_for_what_is_missing(spec: Path) -> None:
    """Each missing artifact is one error, at its declaration, that says which command makes it."""
    found = errors(spec)
    assert [(one.code, one.span.line if one.span else 0) for one in found] == [
        ("SD421", 3),
        ("SD421", 4),
        ("SD421", 5),
    ]
    assert found[0].message == "the artifact `words` (`made/words.txt`) has not been made"
    assert {one.help for one in found} == {f"run `safedata analyze {spec}`"}


@pytest.mark.tf
def test_artifacts_are_those_of_the_data(tf: Any, spec: Path) -> None:
    """Words come by frequency, classes in order, numbers as NumPy's; a pipeline then runs with them."""
    import numpy as np

    report = safedata.analyze(spec)
    assert (report.elements, report.passes, [one.fresh for one in report.made]) == (ROWS, 1, [False] * 3)
    words = [word for row in rows() for word in row["text"].lower().split()]
    ranked = sorted(set(words), key=lambda word: (-words.count(word), word))
    head, *listed = (spec.parent / "made/words.txt").read_text().splitlines()
    assert head.startswith("#safedata {")
    assert listed == ranked[:5]
    assert (spec.parent / "made/cities.txt").read_text(encoding="utf-8").splitlines()[1:] == [
        "Oslo",
        "Rome",
        "Århus",
    ]
    numbers = json.loads((spec.parent / "made/stats.json").read_text())["components"]
    ages = np.array([row["age"] for row in rows()])
    fares = np.array([row["fare"] for row in rows() if row["fare"] != -1], "float32")
    assert numbers["age"]["mean"] == pytest.approx(ages.mean(), rel=1e-12)
    assert numbers["fare"]["count"] == len(fares)
    assert numbers["fare"]["quantiles"] == np.quantile(fares.astype(float), [0.25, 0.5, 0.75]).tolist()
    assert not errors(spec)
    elements = list(safedata.load(spec).unbatch().as_numpy_iterator())
    assert len(elements) == 2 * ROWS
    assert abs(np.mean([one["age"] for one in elements])) < 1e-5
    assert {int(one["city"]) for one in elements} == {0, 1, 2}
    assert {int(one["fare"]) for one in elements} == {0, 1, 2, 3}


@pytest.mark.tf
def test_how_it_runs_changes_nothing(tf: Any, spec: Path) -> None:
    """Threads, order and speed leave every byte of an artifact as it is, and none of them makes one stale."""
    safedata.analyze(spec)
    first = made(spec)
    changed(spec, "steps:\n", "runtime: {threads: 4, deterministic: false}\nsteps:\n")
    changed(spec, "  - shuffle: 10\n", "  - shuffle: {buffer: 99, seed: 3}\n  - prefetch: 3\n")
    changed(spec, "  - repeat: 2\n", "  - repeat\n")
    changed(spec, "  - padded_batch: 4\n", "  - padded_batch: 7\n")
    assert not errors(spec)
    assert all(one.fresh for one in safedata.analyze(spec).made)
    report = safedata.analyze(spec, "words", "stats", force=True)
    assert [(one.name, one.fresh) for one in report.made] == [("words", False), ("stats", False)]
    assert made(spec) == first


@pytest.mark.tf
def test_what_makes_one_stale(tf: Any, spec: Path) -> None:
    """Other data, other steps before its place, and other wishes are each an error until it is made again."""
    safedata.analyze(spec)
    changed(spec, "lower, ", "")
    found = errors(spec)
    assert {one.code for one in found} == {"SD422"}
    assert "`words` (`made/words.txt`) was made by other steps" in found[0].message
    safedata.analyze(spec)
    changed(spec, "top: 5", "top: 4")
    assert len(errors(spec)) == 1
    assert [one.fresh for one in safedata.analyze(spec).made] == [False, True, True]
    with (spec.parent / "data.csv").open("a", encoding="utf-8") as file:
        file.write("1,2,Rome,more\n")
    found = errors(spec)
    assert [one.code for one in found] == ["SD422"] * 3
    assert found[1].message == "the artifact `cities` (`made/cities.txt`) was made of other data"
    assert found[1].help == f"run `safedata analyze {spec}`"
    changed(spec, ", analyze: {classes: {of: city}}", "")
    assert len(errors(spec)) == 2  # a file that says nothing of its making is taken as it is


@pytest.mark.tf
def test_one_artifact_stands_on_another(tf: Any, spec: Path) -> None:
    """What is taken behind a use of another artifact is made after it, and is stale when that one changes."""
    changed(
        spec,
        "source:\n",
        "  ids: {path: made/ids.json, analyze: {statistics: {of: tokens}, after: looked}}\nsource:\n",
    )
    changed(spec, "  - padded_batch", "    name: looked\n  - padded_batch")
    report = safedata.analyze(spec)
    assert report.passes == 2
    assert [one.name for one in report.made] == ["words", "cities", "stats", "ids"]
    changed(spec, "top: 5", "top: 4")
    assert [one.fresh for one in safedata.analyze(spec).made] == [False, True, True, False]


@pytest.mark.tf
def test_interrupted(tf: Any, spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is interrupted leaves what was there, and nothing else."""
    safedata.analyze(spec)
    first = made(spec)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("safedata.artifacts.heading.os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        safedata.analyze(spec, force=True)
    assert made(spec) == first


@pytest.mark.tf
@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("of: city", "of: town", SpecError, "SD201.*there is no component `town` where `cities` is taken"),
        (
            "of: city",
            "of: fare",
            SpecError,
            "SD202.*a list has texts or whole numbers, and `fare` is float32",
        ),
        (
            "of: [age, fare]",
            "of: [city]",
            SpecError,
            "SD202.*statistics are of numbers, and `city` is string",
        ),
        ("quantiles: 4", "axis: -1", SpecError, "SD203.*wants a last dimension of one size"),
        ("{of: city}}", "{of: city}, after: x}", SpecError, "SD426.*no step has the name `x`"),
        ("  - padded_batch", "    name: used\n  - padded_batch", SpecError, "SD426.*used before the place"),
        (
            "  - shuffle: 10",
            "  - repeat\n  - take: 9\n  - repeat\n  - skip: 1",
            SpecError,
            "SD209.*needs an end",
        ),
        ("path: made/words.txt", "path: data.csv/words.txt", DataError, "SD408.*cannot be written"),
    ],
)
def test_what_cannot_be_made(tf: Any, spec: Path, old: str, new: str, error: Any, message: str) -> None:
    """What cannot be analyzed is an error that says where and why; nothing is written."""
    if "name: used" in new:
        changed(spec, "{of: city}}", "{of: city}, after: used}")
    changed(spec, old, new)
    with pytest.raises(error, match=message):
        safedata.analyze(spec)
    assert not list(spec.parent.glob("made/*"))


def test_nothing_to_make(spec: Path) -> None:
    """A spec without artifacts, and a name that it does not have, are errors."""
    with pytest.raises(SpecError, match=r"SD426.*no artifact `wrds` to make.*did you mean `words`"):
        safedata.analyze(spec, "wrds")
    with pytest.raises(SpecError, match=r"SD426.*no artifact that says how it is made.*add `artifacts:"):
        safedata.analyze("safedata: 1\nsource: {range: 3}\n")
    with pytest.raises(SpecError, match=r"SD105.*takes one of `vocabulary`, `classes` and `statistics`"):
        safedata.analyze("safedata: 1\nsource: {range: 3}\nartifacts: {a: {path: b, analyze: {}}}\n")


@pytest.mark.tf
def test_odd_values(tf: Any, tmp_path: Path) -> None:
    """A value with a line break cannot stand in a list of lines, and an infinite one has no mean."""
    text = "safedata: 1\nsource: {{range: 3}}\nsteps: [{{map: {{x: {0}}}}}]\n"
    text += "artifacts: {{a: {{path: a, analyze: {1}}}}}\n"
    chain = '[{from: value}, as_string, {regex_replace: {pattern: "1", rewrite: "a\\nb"}}]'
    with pytest.raises(DataError, match=r"SD425\]: the value 'a\\nb' has a line break"):
        safedata.analyze(text.format(chain, "{vocabulary: {of: x}}"), folder=tmp_path)
    with pytest.raises(DataError, match=r"SD425\]: a value of `x` is infinite"):
        safedata.analyze(text.format('"= 1.0 / value"', "{statistics: {of: x}}"), folder=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.tf
def test_is_keras_adapt(tf: Any, spec: Path) -> None:
    """A vocabulary and statistics are those that Keras' layers come to by `adapt`."""
    import numpy as np

    safedata.analyze(spec)
    layer = tf.keras.layers.Normalization(axis=None)
    layer.adapt(np.array([float(row["age"]) for row in rows()]))
    numbers = json.loads((spec.parent / "made/stats.json").read_text())["components"]["age"]
    assert float(layer.mean.numpy().item()) == pytest.approx(numbers["mean"], rel=1e-6)
    assert float(layer.variance.numpy().item()) == pytest.approx(numbers["variance"], rel=1e-5)
    words = tf.keras.layers.TextVectorization(standardize="lower", max_tokens=7)
    words.adapt(np.array([row["text"] for row in rows()]))
    listed = (spec.parent / "made/words.txt").read_text().splitlines()[1:]
    assert sorted(str(one) for one in words.get_vocabulary()[2:]) == sorted(listed)


@pytest.mark.tf
def test_batches_and_ragged_components(tf: Any, tmp_path: Path) -> None:
    """Components that are batched count element by element, a short last batch included."""
    text = """\
safedata: 1
source: {range: 10}
steps:
  - batch: {size: 4, drop_remainder: true}
artifacts: {a: {path: a.json, analyze: {statistics: {of: value}}}}
"""
    assert safedata.analyze(text, folder=tmp_path).made[0].facts["components"]["value"]["max"] == 9
