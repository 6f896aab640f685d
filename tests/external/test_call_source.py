"""`call` as a source: a generator of the caller's, started anew in each epoch and closed with it."""

from __future__ import annotations

import gc
import re
import sys
from pathlib import Path

import pytest

import safedata
from safedata.manifest import manifest_of
from tests.external.functions import ALLOW, elements, feed, happened, spec

ROWS = 'x: "float32[3]", text: "string[<=4B]"'
VALUE = 'value: "int64[]"'


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        (feed("rows", ROWS, "-1"), "SD105", "`cardinality` is a number of elements"),
        (feed("rows", ROWS, "{most: 4}"), "SD105", "`cardinality` is a number of elements"),
        (feed("rows", ROWS, "unknown", "seed: false"), "SD233", "nobody says what `mine.feeds:rows` holds"),
        (feed("rows", 'x: "float32[?]"'), "SD204", "nothing bounds `x`"),
        (feed("rows", ""), "SD105", "`returns` names no component"),
        (feed("_own", ROWS), "SD105", "names that start with `_` are the module's own"),
    ],
)
def test_what_is_refused(source: str, code: str, message: str) -> None:
    """A source that says too little, or something else than fits, is one problem at its place."""
    [found] = safedata.check(spec(source), allow=ALLOW, host="8GiB").problems
    assert found.code == code
    assert re.search(message, found.message), found.message
    assert found.span is not None
    assert found.span.line == 2


@pytest.mark.parametrize(
    ("written", "count"),
    [("5", "exactly 5"), ("{at_most: 7}", "at most 7"), ("unknown", "unknown"), ("infinite", "infinite")],
)
def test_a_check_takes_its_word(written: str, count: str, mine: Path) -> None:
    """Without leave a source is refused; with leave types and number are those declared, and nothing is imported."""
    text = spec(feed("rows", ROWS, written), rest="output: [x, text]\n")
    [found] = safedata.check(text, host="8GiB").problems
    assert found.code == "SD231"
    verdict = safedata.check(text, allow=ALLOW, host="8GiB")
    assert verdict.fits, verdict.problems
    assert verdict.plan is not None
    assert str(verdict.plan.result.cardinality) == count
    assert str(verdict.plan.result) == "x: float32[3], text: string[<=4B]"
    assert verdict.plan.evidence == "declared"
    assert [one["name"] for one in manifest_of(verdict)["outside"]] == ["mine.feeds:rows"]
    assert "mine.feeds" not in sys.modules


@pytest.mark.tf
def test_each_epoch_starts_a_generator_and_closes_it(mine: Path) -> None:
    """Elements come in the generator's order; each epoch opens it, and its end or the iterator's closes it."""
    data = safedata.load(spec(feed("rows", ROWS), "repeat: 2", "prefetch: 2"), allow=ALLOW, host="8GiB")
    events = happened()

    assert [one["text"] for one in data.as_numpy_iterator()] == [b"t0", b"t1", b"t2", b"t3", b"t4"] * 2
    assert int(data.cardinality()) == 10
    assert events == ["open", "closed"] * 2
    events.clear()
    iterator = iter(data)
    next(iterator)
    assert events == ["open"]
    del iterator
    gc.collect()
    assert events == ["open", "closed"]


@pytest.mark.tf
def test_leaving_a_pipeline_closes_its_generator(mine: Path) -> None:
    """An iterator that is still there when a pipeline is left holds no generator open."""
    with safedata.open(spec(feed("rows", ROWS)), allow=ALLOW, host="8GiB") as pipeline:
        for _ in pipeline.dataset:
            break
    events = happened()

    assert events == ["open", "closed"]


@pytest.mark.tf
def test_any_iterator_will_do(mine: Path) -> None:
    """What a function returns need not be a generator, and is closed where it has a `close`."""
    text = spec(feed("endless", VALUE, "infinite"), "take: 3")
    assert [one["value"] for one in elements(text)] == [1, 2, 3]
    gc.collect()
    events = happened()

    assert events == ["closed"]


@pytest.mark.tf
def test_a_seed_for_each_epoch(mine: Path) -> None:
    """A generator that draws has another seed in each epoch, and the same ones again in a new dataset."""
    text = spec(feed("dice", VALUE, "4", "workspace: 0 B, seed: true"), rest="runtime: {seed: 5}\n")
    data = safedata.load(text, allow=ALLOW, host="8GiB")
    first, second = ([int(one["value"]) for one in data.as_numpy_iterator()] for _ in range(2))
    assert len({*first, *second}) == 8
    twice = [one["value"] for one in elements(text.replace("steps:", "steps:\n  - repeat: 2"))]
    assert twice == [*first, *second]
    assert not {one["value"] for one in elements(text.replace("seed: 5", "seed: 6"))} & set(twice)


@pytest.mark.tf
@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        (feed("rows", ROWS, "4"), "SD511", "made more than 4 elements, and `cardinality` says exactly 4"),
        (
            feed("rows", ROWS, "{at_most: 4}"),
            "SD511",
            "made more than 4 elements, and `cardinality` says at most 4",
        ),
        (
            feed("rows", ROWS, "6"),
            "SD511",
            "made 5 elements, and `cardinality` says exactly 6, in the source",
        ),
        (feed("rows", ROWS, "infinite"), "SD511", "made 5 elements, and `cardinality` says infinite"),
        (
            feed("mixed", VALUE, "unknown"),
            "SD511",
            r"returned float64\[\] for `value`.* in element 1 of the source",
        ),
        (
            feed("rows", 'x: "float32[2]", text: "string[<=4B]"'),
            "SD511",
            r"float32\[3\] for `x`, and float32\[2\]",
        ),
        (
            feed("rows", 'x: "float32[3]"'),
            "SD511",
            "returned the components `x`, `text`, and `x` is declared",
        ),
        (feed("single", VALUE), "SD511", "returned a int, and an iterable of elements is declared"),
        (
            feed("fails", VALUE, "unknown"),
            "SD512",
            "`mine.feeds:fails` raised KeyError: .*gone.*, in element 2 of the",
        ),
        (
            feed("dice", VALUE, more="workspace: 0 B, arguments: {seed: -1}"),
            "SD512",
            "raised ValueError: expected non-negative integer.*element 0",
        ),
    ],
)
def test_what_a_generator_does_wrong_is_told(source: str, code: str, message: str, mine: Path) -> None:
    """Elements, or a number of them, that are not as declared, and exceptions name the function and the element."""
    text = spec(source, "take: 9", rest="runtime: {on_error: skip}\n")
    with pytest.raises(safedata.DataError, match=message) as caught:
        safedata.build(text, allow=ALLOW, host="8GiB")
    [found] = caught.value.problems
    assert found.code == code
    assert "on_error" not in (found.help or "")  # no generator goes on behind an exception
    if "KeyError" in message:
        assert caught.value.__cause__ is not None
        assert isinstance(caught.value.__cause__.__cause__, KeyError)


@pytest.mark.tf
def test_steps_behind_it_name_its_elements(mine: Path) -> None:
    """An element that a later step fails on is named by its number, and can be left out."""
    entry = 'map: {value: [{call: "mine.vision:fails", returns: {value: "int64[]"}, workspace: 0 B}]}'
    text = spec(feed("endless", VALUE, "infinite"), "take: 5", entry, rest="runtime: {on_error: skip}\n")
    report = safedata.build(text, allow=ALLOW, host="8GiB")
    assert (report.elements, report.skipped) == (4, ("mine.feeds:endless element 2",))


@pytest.mark.tf
def test_inputs_of_a_combinator(mine: Path) -> None:
    """A generator may be an input beside others, and each input's function is looked for at its own place."""
    pair = f"zip: {{a: {{{feed('rows', ROWS)}}}, b: {{range: 5}}}}"
    assert [(one["text"], one["value"]) for one in elements(spec(pair))][4] == (b"t4", 4)
    with pytest.raises(safedata.SpecError, match="has no function `row`") as caught:
        safedata.load(spec(pair.replace("feeds:rows", "feeds:row")), allow=ALLOW, host="8GiB")
    assert caught.value.problems[0].span is not None
    assert caught.value.problems[0].span.column > 20


def test_a_cache_on_disk_asks_for_a_version(mine: Path) -> None:
    """A source without a version before a cache on disk is refused: a change of it would not be seen."""
    text = spec(feed("dice", VALUE), "cache: {path: kept}")
    [found] = safedata.check(text, allow=ALLOW, host="8GiB").problems
    assert (found.code, "`mine.feeds:dice` stands before a cache" in found.message) == ("SD207", True)
    assert safedata.check(text.replace("1KiB", "1KiB, version: 1"), allow=ALLOW, host="8GiB").fits
