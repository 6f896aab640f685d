"""That an iteration goes on with the very elements that would have come, wherever it was interrupted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

import safedata

pytestmark = pytest.mark.tf

ACCEPT = "SD601, SD602, SD603, SD604, SD605, SD606, SD607, SD608, SD621"
DRAW = "map: {u: '= uniform(0.0, 1.0)'}"
ROOT = Path(__file__).parents[2]
SHORT = {
    "augmented batches of a shuffle": ("range: 17", "shuffle: 5", DRAW, "batch: 4", "prefetch: 2"),
    "two memory caches and a repeat": (
        "range: 11",
        "cache: memory",
        "shuffle: 4",
        DRAW,
        "batch: 3",
        "repeat: 2",
    ),
    "a disk cache read at random": (
        "range: 17",
        "map: {y: = value * 3}",
        "cache: {path: CACHE}",
        "shuffle: all",
        "batch: 3",
        DRAW,
    ),
    "a filter before a shuffle": ("range: 17", DRAW, "filter: u < 0.6", "shuffle: 3", "batch: 2"),
    "a combinator of shuffles": (
        "zip: {a: {range: 11}, b: {source: {range: 11}, steps: [{shuffle: 4}, {rename: {value: w}}]}}",
        DRAW,
        "batch: 3",
    ),
    "elements that are left out": ("range: 17", "map: {value: = 7 // (value - 3)}", "shuffle: 4", "batch: 2"),
}
TWO = "{source: {range: 6}, steps: [{shuffle: 4}, {shuffle: 2}]}"
LONG = {
    "a last batch that is filled up": ("range: 17", DRAW, "batch: {size: 4, pad_last: valid}"),
    "no short batch": ("range: 17", "shuffle: 5", "shuffle: 3", "batch: {size: 4, drop_remainder: true}"),
    "take": ("range: 17", "take: 11", DRAW, "batch: 4"),
    "skip": ("range: 17", "skip: 3", DRAW, "batch: 4"),
    "shard": ("range: 17", "shard: {count: 3, index: 1}", DRAW),
    "window": ("range: 17", DRAW, "window: {size: 3, shift: 2}"),
    "unbatch": ("range: 17", DRAW, "batch: {size: 4, drop_remainder: true}", "unbatch:"),
    "enumerate": ("range: 17", "shuffle: 4", "enumerate: number", DRAW, "batch: 3"),
    "repeats of shuffles": (
        "range: 5",
        "shuffle: 3",
        "shuffle: 3",
        DRAW,
        "batch: 2",
        "repeat: 3",
        "shuffle: 2",
        "repeat: 2",
    ),
    "one order for all epochs": ("range: 17", "shuffle: {buffer: 4, reshuffle: false}", DRAW),
    "a disk cache in order": ("range: 17", "map: {y: = value * 3}", "cache: {path: CACHE}", DRAW),
    "a disk cache, repeated": (
        "range: 17",
        "map: {y: = value * 3}",
        "cache: {path: CACHE}",
        "shuffle: all",
        DRAW,
        "repeat: 2",
    ),
    "made elements": (
        "synthetic: {components: {x: 'int64[2]', s: 'string[<=9B]'}, count: 13}",
        DRAW,
        "batch: 2",
    ),
    "inputs of different lengths": (
        "zip: {a: {range: 9}, b: {source: {range: 20}, steps: [{shuffle: 4}, {rename: {value: w}}]}}",
        DRAW,
    ),
    "one input after the other": (
        f"concatenate: [{TWO}, {{source: {{range: 9}}, steps: [{{shuffle: 4}}]}}]",
        DRAW,
        "batch: 3",
    ),
    "the same, repeated": (
        f"concatenate: [{TWO}, {{source: {{range: 9}}, steps: [{{shuffle: 4}}]}}]",
        DRAW,
        "repeat: 2",
    ),
    "a mix": (f"mix: {{inputs: {{a: {TWO}, b: {{range: 7}}}}, weights: [0.3, 0.7]}}", DRAW, "batch: 3"),
    "a mix of repeats": (
        "mix: [{source: {range: 4}, steps: [{shuffle: 4}, {repeat: 2}]}, {range: 7}]",
        DRAW,
        "repeat: 2",
    ),
    "a mix of batches": (
        "mix: [{source: {range: 9}, steps: [{shuffle: 4}, {batch: 2}]}, "
        "{source: {range: 6}, steps: [{batch: 3}]}]",
        "repeat: 2",
    ),
    "rows of elements": (
        "range: 17",
        "map: {x: '= stack(value, value + 1)'}",
        "flatten: x",
        DRAW,
        "batch: 4",
    ),
    "pieces of all": (
        "synthetic: {components: {x: 'int64[<=9]'}, count: 13, vary: true}",
        "shuffle: 5",
        "concat_and_split: {components: x, length: 4}",
        DRAW,
        "repeat: 2",
    ),
    "padded batches": ("range: 17", "padded_batch: 4", DRAW),
    "buckets": (
        "synthetic: {components: {x: 'int64[<=9]'}, count: 19, vary: true}",
        "shuffle: 5",
        "bucket_batch: {length: x, boundaries: [4], sizes: [3, 2]}",
    ),
    "split": ("range: 17", "split: {part: a, parts: {a: 0.6, b: 0.4}}", DRAW),
    "resampled": (
        "range: 17",
        "map: {label: = value % 2}",
        "rejection_resample: {label: label, target_dist: [1, 1], initial_dist: [9, 1]}",
    ),
    "ragged batches": (
        "synthetic: {components: {x: 'int64[<=9]'}, count: 19, vary: true}",
        "ragged_batch: 4",
    ),
    "an endless repeat behind take": ("range: 5", "shuffle: 5", "take: 4", "repeat: 4", DRAW),
}


def spec(source: str, *steps: str, cache: Path, runtime: str = "") -> str:
    text = f"safedata: 1\nruntime: {{on_error: skip, accept: [{ACCEPT}]{runtime}}}\nsource: {{{source}}}\nsteps:\n"
    return (text + "".join(f"  - {step}\n" for step in steps)).replace("CACHE", str(cache))


def plain(element: Any) -> Any:
    import tensorflow as tf

    return [part.numpy().tolist() for part in tf.nest.flatten(element, expand_composites=True)]


def epochs(text: str, count: int, state: Any = None) -> tuple[list[list[Any]], list[dict[str, Any]]]:
    """Return the elements of so many epochs from a state on, and the state behind each of them."""
    found: list[list[Any]] = []
    states: list[dict[str, Any]] = []
    with safedata.open(text, report=lambda _: None) as pipeline:
        iteration = pipeline.iterate(state)
        for _ in range(count):
            states.append(iteration.state())
            found.append([])
            for element in iteration:
                found[-1].append(plain(element))
                states.append(iteration.state())
    return found, states


def hold(text: str, every: int) -> None:
    whole, states = epochs(text, 3)
    dataset = safedata.load(text)
    assert whole == [[plain(element) for element in dataset] for _ in range(3)]
    for state in [*states[::every], states[-1]]:
        epoch, count = state["epoch"], state["elements"]
        rest, _ = epochs(text, 3 - epoch, json.loads(json.dumps(state)))
        assert rest == [whole[epoch][count:], *whole[epoch + 1 :]], (epoch, count)


@pytest.mark.parametrize("name", SHORT)
def test_the_same_elements_come(name: str, tmp_path: Path) -> None:
    """From a state in each of three epochs the elements come that would have come, and those of the epochs behind."""
    hold(spec(*SHORT[name], cache=tmp_path), 13)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SHORT, *LONG])
def test_the_same_elements_come_from_everywhere(name: str, tmp_path: Path) -> None:
    """The same from many states, the first and the last element of an epoch among them."""
    hold(spec(*(SHORT | LONG)[name], cache=tmp_path), 4)


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_specs_go_on(path: Path) -> None:
    """Each spec that is shipped goes on behind its first element, into the next epochs."""
    with safedata.open(path, report=lambda _: None) as pipeline:
        iteration = pipeline.iterate()
        elements = (element for _ in range(5) for element in iteration)
        next(elements)
        state = iteration.state()
        want = [plain(element) for element in islice(elements, 3)]
    with safedata.open(path, report=lambda _: None) as pipeline:
        iteration = pipeline.iterate(state)
        elements = (element for _ in range(5) for element in iteration)
        assert [plain(element) for element in islice(elements, 3)] == want


CHILD = """
import json, sys
sys.path.insert(0, sys.argv[1])
import safedata
from tests.resume.test_elements import epochs
found, states = epochs(sys.stdin.read(), int(sys.argv[3]), json.loads(sys.argv[2]))
print(json.dumps([found, states[-1]]))
"""


def child(text: str, state: Any, count: int) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(ROOT), json.dumps(state), str(count)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_another_process_with_other_threads_goes_on(tmp_path: Path) -> None:
    """A state goes on in another process, with another number of threads and calls, and another prefetch."""
    steps = ("shuffle: 7", DRAW, "shuffle: 3", "batch: 2", "prefetch: 2")
    whole, states = epochs(spec("range: 17", *steps, cache=tmp_path), 2)
    other = (
        "shuffle: 7",
        "{name: drawn, " + DRAW + ", parallel: 5}",
        "shuffle: 3",
        "batch: 2",
        "prefetch: 5",
    )
    state = states[13]
    rest, _ = child(spec("range: 17", *other, cache=tmp_path, runtime=", threads: 1"), state, 1)
    assert rest == [whole[1][state["elements"] :]]


def test_a_break_loses_nothing(tmp_path: Path) -> None:
    """A loop that is left goes on, in the next loop, with the element behind the last one."""
    with safedata.open(spec("range: 5", cache=tmp_path), report=lambda _: None) as pipeline:
        iteration = pipeline.iterate()
        for element in iteration:
            assert plain(element) == [0]
            break
        assert (iteration.epoch, iteration.elements) == (0, 1)
        assert [plain(element) for element in iteration] == [[1], [2], [3], [4]]
        assert (iteration.epoch, iteration.elements) == (1, 0)


def test_endless_passes_go_on(tmp_path: Path) -> None:
    """An endless `repeat` is one epoch, and its state goes on in the round that it is in."""
    text = spec("range: 5", "shuffle: 5", DRAW, "repeat:", "batch: 2", cache=tmp_path)
    with safedata.open(text, report=lambda _: None) as pipeline:
        iteration = pipeline.iterate()
        elements = iter(iteration)
        for _ in range(17):
            next(elements)
        state = iteration.state()
        want = [plain(next(elements)) for _ in range(9)]
    with safedata.open(text, report=lambda _: None) as pipeline:
        elements = iter(pipeline.iterate(state))
        assert [plain(next(elements)) for _ in range(9)] == want
