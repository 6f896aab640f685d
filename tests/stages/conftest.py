"""A small stream of every kind of component, with its type, and steps read as a spec would have them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from safedata import registry
from safedata.cardinality import exactly
from safedata.external.allowing import allowing
from safedata.lowering import INDEX, Lowering
from safedata.memory import Hold
from safedata.problem import Fault, Path
from safedata.scope import Scope
from safedata.stages.base import Parsing, Stage
from safedata.types import SCALAR_INT64, Dim, Stream, Tensor, ValueRange

SCOPE = Scope("", cpus=2)


def raise_fault(fault: Fault) -> None:
    raise fault


def raise_invalid(error: ValidationError, path: Path) -> None:
    raise error


def read(text: str) -> Stage:
    """Return the stage of one step, written as in a spec; faults are raised."""
    [(name, value)] = yaml.safe_load(text).items()
    parsing = Parsing(("steps", 0, name), 3, raise_fault, raise_invalid)
    with allowing(["mine"]):
        stage = registry.stage(name).parse(value, {}, parsing)
    assert stage is not None
    return stage


@dataclass(frozen=True)
class Given:
    """Elements, counted by `value` from 0 on: a scalar, a matrix, up to 3 numbers, up to 3 words."""

    count: int = 10

    @property
    def stream(self) -> Stream:
        element = {
            "value": Tensor("int64", range=ValueRange(0, max(0, self.count - 1))),
            "image": Tensor("float32", (Dim.exactly(4), Dim.exactly(3)), range=ValueRange(0, 1)),
            "numbers": Tensor("int32", (Dim.at_most(3),), range=ValueRange(1, 1)),
            "words": Tensor("string", (Dim.at_most(3),), Dim.exactly(4)),
            INDEX: SCALAR_INT64,
        }
        return Stream(element, exactly(self.count))

    def data(self, tf: Any) -> Any:
        def element(value: Any) -> dict[str, Any]:
            few = value % 4
            return {
                "value": value,
                "image": tf.ones([4, 3]),
                "numbers": tf.ensure_shape(tf.ones([few], tf.int32), [None]),
                "words": tf.ensure_shape(tf.fill([few], "word"), [None]),
                INDEX: value,
            }

        return tf.data.Dataset.range(self.count).map(element)


@dataclass(frozen=True)
class Ran:
    """A pipeline typed and built: what the types say, and what TensorFlow makes."""

    stream: Stream
    data: Any
    holds: tuple[Hold, ...]

    @property
    def values(self) -> list[Any]:
        """The component `value` of every element."""
        return [element["value"].tolist() for element in self.data.as_numpy_iterator()]


def infer(stream: Stream, *steps: str, scope: Scope = SCOPE) -> Stream:
    for step in steps:
        stream = read(step).infer(stream, scope)
    return stream


def lower(tf: Any, given: Given, *steps: str) -> Ran:
    stream, data = given.stream, given.data(tf)
    held: list[Hold] = []
    for step in steps:
        stage = read(step)
        after = stage.infer(stream, SCOPE)
        data = stage.lower(data, Lowering(tf, stream, after, 7, stage.calls(SCOPE)))
        held += stage.holds(stream, after, SCOPE)
        stream = after
    return Ran(stream, data, tuple(held))


@pytest.fixture(name="read")
def _read() -> Callable[[str], Stage]:
    return read


@pytest.fixture(name="given")
def _given() -> Given:
    return Given()


@pytest.fixture(name="infer")
def _infer(given: Given) -> Callable[..., Stream]:
    """Types steps over the ten elements of `Given`."""
    return lambda *steps: infer(given.stream, *steps)


@pytest.fixture(name="run")
def _run(given: Given) -> Callable[..., Ran]:
    """Types and builds steps over the ten elements of `Given`."""
    import tensorflow as tf

    return lambda *steps, count=10: lower(tf, Given(count), *steps)


@pytest.fixture(name="faults")
def _faults(given: Given) -> Callable[..., list[Fault]]:
    """Returns every fault that typing steps over `Given` reports."""

    def collect(*steps: str) -> list[Fault]:
        found: list[Fault] = []
        scope = Scope("", cpus=2, report=found.append)
        try:
            infer(given.stream, *steps, scope=scope)
        except Fault as fault:
            found.append(fault)
        return found

    return collect


@pytest.fixture(name="scope")
def _scope() -> Scope:
    """A machine with two CPUs; faults are raised."""
    return SCOPE


@pytest.fixture(name="low")
def _low() -> Callable[[Stream, Stream], Lowering]:
    """Returns what a stage is built with between two types."""
    import tensorflow as tf

    return lambda before, after: Lowering(tf, before, after, 7)
