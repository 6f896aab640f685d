"""The helper for tests of one's own operations finds what is wrong, and nothing where nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

import safedata
from safedata import registry
from safedata.lowering import Call
from safedata.ops.base import Op
from safedata.testing import check_op
from safedata.types import Dim, Tensor, ValueRange
from tests.ops import conformance

pytestmark = pytest.mark.tf


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    before = dict(registry.registered)
    yield
    registry.registered.clear()
    registry.registered.update(before)


@pytest.mark.parametrize(
    "entry", ["{resize: [20, 30]}", "{random_crop: [10, 12]}", "{cast: float32}", "upper"]
)
def test_ours_pass(entry: str) -> None:
    """Operations of the language hold what is asked of those of others."""
    check_op(entry)


ALONE = [name for name in sorted(registry.names("ops")) if registry.op(name).elements and name != "crop"]
"""Operations on one component of one element: `crop` takes a box beside its image."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ALONE)
def test_all_of_ours_pass(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So do all of them, on the samples that their own tests use."""
    from tests.ops.test_every_op import fits

    conformance.write_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    op = conformance.parse(registry.op(name).example)
    check_op(op, [(x, values) for x, values in conformance.inputs() if fits(op, x)])


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_what_takes_whole_batches_is_said_to_be_none_of_its_business(name: str) -> None:
    """Such an operation has no result for one element, whatever the samples."""
    with pytest.raises(AssertionError, match=f"`{name}` works on whole batches"):
        check_op(name)


class Right(Op):
    """Double every number."""

    example: ClassVar[str] = "right"

    factor: int = 2
    """How often."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the same type."""
        self.require(x, "int64")
        return Tensor("int64", x.shape, range=ValueRange(0, 18))

    def lower(self, x: Any, call: Call) -> Any:
        """Return the product."""
        return x * self.factor


class Dtype(Right):
    """Say int64 and make int32."""

    example: ClassVar[str] = "dtype"

    def lower(self, x: Any, call: Call) -> Any:
        return call.tf.cast(x, "int32")


class Range(Right):
    """Leave the range."""

    example: ClassVar[str] = "range"

    def lower(self, x: Any, call: Call) -> Any:
        return x * 3


class Batched(Right):
    """Look at the others of its batch."""

    example: ClassVar[str] = "batched"

    def lower(self, x: Any, call: Call) -> Any:
        return call.tf.reduce_max(x) - x if call.batch_dims else x


class Elsewhere(Right):
    """Have the example of another operation."""

    example: ClassVar[str] = "{cast: float32}"


class Silent(Right):
    """Have a field that nobody explains."""

    example: ClassVar[str] = "silent"

    more: int = 1


class Space(Right):
    """Take less than nothing."""

    example: ClassVar[str] = "space"

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        return -1


@pytest.mark.parametrize(
    ("cls", "law"),
    [
        (Dtype, "makes int32.*, and its `infer` says int64"),
        (Range, r"has made values of 27\.\.27, and its `infer` says 0\.\.18"),
        (Batched, "makes something else of a batch"),
        (Elsewhere, "the example of `elsewhere` is of another class, `Cast`"),
        (Silent, "the field `more` of `silent` has no docstring"),
        (Space, "the workspace of `space`"),
    ],
)
def test_what_is_wrong_is_found(cls: type[Op], law: str) -> None:
    """Each law that is broken is named."""
    with pytest.raises(AssertionError, match=law):
        check_op(safedata.op(cls))


def test_what_is_right_passes_and_needs_a_sample() -> None:
    """A sound operation passes; where no sample fits it says so."""
    check_op(safedata.op(Right))
    with pytest.raises(AssertionError, match="takes none of the samples"):
        check_op(Right, [(Tensor("float32", (Dim.exactly(1),)), [[1.0]])])
