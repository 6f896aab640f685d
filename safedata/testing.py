"""For the tests of operations of one's own: what every operation of the language promises, held against a class."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, cast

from safedata import draws
from safedata.compile import tensorflow
from safedata.docstrings import fields_of
from safedata.lowering import EPOCH, INDEX, Call
from safedata.ops._links import Known, parse_link
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import Dim, Tensor, ValueRange, image

Sample = tuple[Tensor, Sequence[Any]]
"""A component's type, and two values or more of that type and of one shape, as NumPy arrays."""
_SEED: Final = draws.derive_seed(7, "test")
_SLACK: Final = {"float16": 1e-3}
"""By how much of a value range the rounding of floats may leave it: some units in the last place."""
_FINE: Final = 2e-5
"""The same of the other dtypes."""


def check_op(op: type[Op] | Op | str, samples: Iterable[Sample] = ()) -> None:
    """Hold an operation to what every operation promises; its types and bounds are then true of these samples.

    It has a docstring and so have its fields, its example is an entry of a chain, and written out as data it is read
    again as the same. For each sample that it takes: it infers the same type twice, bounds its workspace, its graph
    has the inferred dtype and shape, results lie inside the dimensions, string lengths and value range, and a batch
    gives what its elements give one by one.

    Args:
        op: a class that `safedata.op` registered, whose example is tried; one of its objects; or a chain's entry.
        samples: components to try it on; by default images, numbers, vectors and text in several dtypes.

    Raises:
        AssertionError: one of these does not hold; the message says which, and for which sample.
    """
    one = _read(op if isinstance(op, str) else op.example) if isinstance(op, (str, type)) else op
    if isinstance(op, type):
        _expect(
            isinstance(one, op), f"the example of `{op.key()}` is of another class, `{type(one).__name__}`"
        )
    _check_words(one)
    _expect(one.elements, f"`{one.key()}` works on whole batches, and here operations are tried on elements")
    tried = 0
    for x, values in samples or _samples():
        try:
            y = one.infer(x)
        except Fault:
            continue
        tried += 1
        _check_types(one, x, y)
        _check_values(one, x, y, values)
    _expect(tried > 0, f"`{one.key()}` takes none of the samples; give it some with `samples`")


def _expect(holds: bool, law: str) -> None:
    if not holds:
        raise AssertionError(law)


def _read(entry: str) -> Op:
    import yaml

    link = parse_link(yaml.safe_load(entry), Known())
    if link is None:
        raise AssertionError(f"`{entry}` is no entry of a chain")
    return link.op


def _check_words(op: Op) -> None:
    _expect(bool((type(op).__doc__ or "").strip()), f"`{op.key()}` has no docstring")
    try:
        fields = fields_of(type(op))
    except OSError:  # a class that was typed in, and has no source to read
        fields = {}
    for name, field in fields.items():
        _expect(bool(field.text), f"the field `{name}` of `{op.key()}` has no docstring below it")
    if op.main is not None:
        _expect(
            op.main in type(op).model_fields,
            f"`{op.key()}` has no field `{op.main}`, which it calls its main one",
        )
    again = type(op).model_validate(op.model_dump(by_alias=True, mode="json"))
    _expect(again == op, f"`{op.key()}` written out as data is read again as {again!r}")


def _check_types(op: Op, x: Tensor, y: Tensor) -> None:
    _expect(op.infer(x) == y, f"`{op.key()}` infers one type for {x}, and then another")
    space = op.workspace(x, y)
    _expect(space is None or space >= 0, f"the workspace of `{op.key()}` for {x} is {space}")
    tf = tensorflow()
    # Of a batch, rows are a ragged component, whose shape says nothing of them.
    for batch in [(4,), (None, 3)] if op.batches and not op.rows else [()]:
        made = _traced(tf, op, x, batch).structured_outputs
        found = f"{made.dtype.name}{made.shape.as_list()}"
        wanted = f"{y.dtype}{[*batch, *y.static_shape]}"
        _expect(found == wanted, f"`{op.key()}` of {x} makes {found}, and its `infer` says {wanted}")


def _traced(tf: Any, op: Op, x: Tensor, batch: tuple[int | None, ...]) -> Any:
    """Return the operation as a concrete function of (value, index, epoch)."""
    y = op.infer(x)

    def apply(value: Any, index: Any, epoch: Any) -> Any:
        values = {"x": value, INDEX: index, EPOCH: epoch}
        return op.lower(value, Call(tf, x, y, len(batch), _SEED, values, tf.strings.as_string))

    key = tf.TensorSpec(batch, tf.int64)
    value = tf.TensorSpec((*batch, *x.static_shape), x.dtype)
    return tf.function(apply, autograph=False).get_concrete_function(value, key, key)


def _check_values(op: Op, x: Tensor, y: Tensor, values: Sequence[Any]) -> None:
    import numpy as np

    tf = tensorflow()
    zero = tf.constant(0, tf.int64)
    function = _traced(tf, op, x, ())
    single = [
        np.array(function(tf.constant(value, x.dtype), tf.constant(index, tf.int64), zero).numpy())
        for index, value in enumerate(values)
    ]
    for made in single:
        _check_inside(op, x, y, made)
    if not op.batches or (len({one.shape for one in single}) > 1 and not op.rows):
        return
    index = tf.range(len(values), dtype=tf.int64)
    batch = tf.stack([tf.constant(value, x.dtype) for value in values])
    together = _traced(tf, op, x, (None,))(batch, index, tf.zeros_like(index))
    rows = [one.numpy() for one in together] if op.rows else list(together.numpy())
    same = len(rows) == len(single) and all(map(_alike, map(np.asarray, rows), single))
    _expect(same, f"`{op.key()}` makes something else of a batch of {x} than of its elements one by one")


def _alike(one: Any, two: Any) -> bool:
    import numpy as np

    if one.shape != two.shape:
        return False
    if one.dtype.kind != "f":
        return bool((one == two).all())
    return bool(np.allclose(one, two, rtol=1e-5, atol=1e-6, equal_nan=True))


def _check_inside(op: Op, x: Tensor, y: Tensor, made: Any) -> None:
    dims = zip(made.shape, y.shape, strict=True)
    fits = all(
        dim.most is None or (size == dim.most if dim.exact else size <= dim.most) for size, dim in dims
    )
    _expect(fits, f"`{op.key()}` of {x} has made {list(made.shape)}, and its `infer` says {y}")
    if not made.size:
        return
    if y.range is not None:
        slack = _SLACK.get(y.dtype, _FINE) * max(1.0, y.range.high - y.range.low)
        inside = made.min() >= y.range.low - slack and made.max() <= y.range.high + slack
        found = f"{made.min():g}..{made.max():g}"
        _expect(
            bool(inside), f"`{op.key()}` of {x} has made values of {found}, and its `infer` says {y.range}"
        )
    if y.dtype == "string" and y.length.most is not None:
        longest = max(len(cast("bytes", text)) for text in made.flat)
        _expect(
            longest <= y.length.most,
            f"`{op.key()}` of {x} has made {longest} bytes, and its `infer` says {y}",
        )


def _samples() -> Iterator[Sample]:
    """Yield types that operations often take, with values: images, numbers, vectors, text."""
    import numpy as np

    rng = np.random.default_rng(0)
    loose, fixed = image(Dim.at_most(60), Dim.at_most(70), 3), image(Dim.exactly(24), Dim.exactly(25), 3)
    gray = image(Dim.exactly(24), Dim.exactly(25), 1)
    for x, shape in ((loose, (55, 65, 3)), (fixed, (24, 25, 3)), (gray, (24, 25, 1))):
        yield x, [rng.integers(0, 256, shape).astype("uint8") for _ in range(3)]
    for dtype in ("float32", "float16"):
        x = Tensor(dtype, fixed.shape, range=ValueRange(0, 1), kind="image", color="rgb")
        yield x, [rng.random((24, 25, 3)).astype(dtype) for _ in range(3)]
    vector = Tensor("float32", (Dim.at_most(9),))
    yield vector, [rng.normal(size=7).astype("float32") for _ in range(3)]
    yield Tensor("int64", range=ValueRange(0, 9)), [np.int64(one) for one in (0, 5, 9)]
    yield Tensor("int32", (Dim.exactly(4),)), [rng.integers(-9, 9, 4).astype("int32") for _ in range(3)]
    yield (
        Tensor("string", length=Dim.at_most(20)),
        [np.array(one, object) for one in (b"", b"some words", b"12")],
    )
