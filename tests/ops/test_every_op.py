"""What every operation promises, whichever it is."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any, get_args

import pytest

from safedata import registry
from safedata.docstrings import fields_of
from safedata.ops.base import Op
from safedata.ops.image._resizing import Method
from safedata.problem import Fault
from safedata.types import Tensor
from tests.ops import conformance

NAMES = sorted(registry.names("ops"))
EXAMPLES = [registry.op(name).example for name in NAMES]
FLAGS = ("true", "false")
METHODS = get_args(Method)
MORE = [
    *(
        f"{{resize: {{size: [20, 30], method: {one}, antialias: {smooth}}}}}"
        for one in METHODS
        for smooth in FLAGS
    ),
    *(f"{{resize: {{size: [70, 90], method: {one}, keep_dtype: true}}}}" for one in ("bilinear", "lanczos3")),
    "{center_crop: {fraction: 0.63}}",
    "{center_crop: [50, 61]}",
    "{random_crop: [50, 61]}",
    "{random_crop: [1, 1]}",
    "{random_flip_left_right: 1.0}",
    "{random_brightness: 0.3}",
    "{random_contrast: {lower: 0.0, upper: 0.5}}",
    "{random_erasing: {size: [9, 70], count: 3}}",
    "{rescale: [-1, 1]}",
    "{rescale: [0, 255]}",
    "{rescale: {scale: 2, offset: -1}}",
    "{normalize: caffe}",
    "{normalize: {mean: [1.5], std: [2]}}",
    "{cast: uint8}",
    "{cast: float64}",
    "{cast: bool}",
    "{one_hot: {depth: 5, on_value: 9, off_value: 1, dtype: int32}}",
    "{one_hot: {depth: 5, dtype: bool}}",
    "{one_hot: {dtype: int16}}",
    "multi_hot",
    "{random_chunk: {length: 3, axis: -1}}",
    "{ensure_shape: [null, 4]}",
    "{reshape: [-1]}",
    "{reshape: [-1, 3]}",
    "{truncate: {length: 2, side: start}}",
    "{truncate: {length: 2, axis: -1, side: start}}",
    "{pad_to: {length: 80, axis: -1, value: 1, side: start}}",
    "{pad_to: {shape: [60, 70, null]}}",
    "{pad_to: {length: 5, value: xyz}}",
    "{decode_raw: uint8}",
    "{decode_raw: {dtype: int16, shape: [3, 2], endian: big}}",
    "{parse_example: {features: {tokens: {dtype: int64, kind: variable}}}}",
    "{parse_sequence_example: {features: {steps: {dtype: int64, kind: sequence}}}}",
    "{decode_image: {channels: 1, max_size: [50, 50]}}",
    "decode_image",
    "decode_jpeg",
    "{lower: utf-8}",
    "{upper: utf-8}",
    "{strip: 'ag'}",
    "{string_length: UTF8_CHAR}",
    "{substr: {len: 2, unit: UTF8_CHAR}}",
    "{regex_replace: {pattern: '(x|)t*', rewrite: '<\\1>'}}",
    "{regex_replace: {pattern: '[a-g]', rewrite: '[\\0\\0]', replace_global: false}}",
    "{split_string: 't'}",
    "{split_string: {by: characters}}",
    "{split_string: {by: bytes, max_tokens: 5}}",
    "{join: ''}",
    "{as_string: {precision: 2, width: 12}}",
    "{as_string: {scientific: true}}",
    "{to_number: {dtype: int32, default: 7}}",
    "{hash_bucket: {num_buckets: 7, salt: [1, 2]}}",
    "{add_tokens: {bos: [x, yz]}}",
    "{vocab_lookup: {vocab: [xy, a], mask_token: '', num_oov_indices: 3}}",
    "{vocab_lookup: {vocab: [4, 2, 0], num_oov_indices: 2}}",
    "{vocab_lookup: {vocab: [a, b, c, dd], invert: true}}",
    "{slice: {stop: -1, step: 2, axis: -1}}",
    "{slice: {start: -2}}",
    "{gather: -1}",
    "{gather: {indices: [-1, 0], axis: -1}}",
    "{expand_dims: 0}",
    "{squeeze: -1}",
    "{transpose: [1, 0]}",
    "{reverse: -1}",
    "{sort: {direction: DESCENDING, axis: 0}}",
    "{argmax: 0}",
    "{clip: [1, 3]}",
    "reduce_sum",
    "reduce_mean",
    "reduce_max",
    "{reduce_min: 0}",
    "{bucketize: [2]}",
    "{scale_feature: {min: [0, 1, 2], max: [3, 3, 3]}}",
    "{fill_missing: 0.5}",
    "{fill_missing: filled}",
    "{datetime_part: {part: day_of_year, unit: d}}",
]


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that `read_file` reads are there, below the folder that its example names."""
    conformance.write_files(tmp_path)
    monkeypatch.chdir(tmp_path)


ROUNDED = ("log1p", "reduce_sum", "reduce_mean")
"""Operations whose last bits differ with a value's place: TensorFlow computes several at once, the last ones singly."""


def fits(op: Op, x: Tensor) -> bool:
    """Return whether the sample strings of type `x` are what a decoder wants; their type cannot tell."""
    own = {
        "decode_csv": conformance.LINE,
        "decode_npy": conformance.SAVED,
        "parse_tensor": conformance.WRITTEN,
        "parse_example": conformance.EXAMPLE,
        "parse_sequence_example": conformance.STEPS,
        "read_file": conformance.PATH,
    }
    if op.key() in own or any(x is one for one in own.values()):
        return x is own.get(op.key())
    if op.key() in ("to_number", "datetime_part") and x.dtype == "string":
        return op.key() == "to_number" and x is conformance.DIGITS
    return not op.key().startswith("decode") or (x is conformance.RAW) == (op.key() == "decode_raw")


def pairs() -> list[tuple[str, Tensor, tuple[Any, ...]]]:
    """Return each example with each sample input that it takes, and each of `MORE` with three."""
    found: list[tuple[str, Tensor, tuple[Any, ...]]] = []
    for text in EXAMPLES + MORE:
        op = conformance.parse(text)
        seen: set[str] = set()
        for x, values in conformance.inputs():
            try:
                op.infer(x)
            except Fault:
                continue
            if fits(op, x) and (text in EXAMPLES or (x.dtype not in seen and len(seen) < 3)):
                found.append((text, x, values))
                seen.add(x.dtype)
    return found


PAIRS = pairs()
every_pair = pytest.mark.parametrize(
    ("text", "x", "values"), PAIRS, ids=[f"{text}-{x}" for text, x, _ in PAIRS]
)


@pytest.mark.parametrize("name", NAMES)
def test_is_documented(name: str) -> None:
    """An operation and all its fields have a docstring, its example is its own."""
    found = registry.op(name)
    assert found.__doc__
    assert found.__doc__ != found.__base__.__doc__
    assert all(field.text for field in fields_of(found).values())
    assert conformance.parse(found.example).key() == name
    assert found.main is None or found.main in found.model_fields


@pytest.mark.parametrize("name", [name for name in NAMES if registry.op(name).elements and name != "crop"])
def test_has_a_sample(name: str) -> None:
    """Each operation on one component takes a sample input, so that the laws below speak of it."""
    assert any(conformance.parse(text).key() == name for text, _, _ in PAIRS)


@pytest.mark.parametrize("text", EXAMPLES + MORE)
def test_round_trips(text: str) -> None:
    """An operation written out as data and read again is equal."""
    op = conformance.parse(text)
    assert type(op).model_validate(op.model_dump(by_alias=True, mode="json")) == op
    assert op.model_json_schema()


@every_pair
def test_infer_is_pure(text: str, x: Tensor, values: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inference opens no file, gives the same type twice, and bounds its workspace with a whole number."""
    op = conformance.parse(text)
    monkeypatch.setattr(builtins, "open", None)
    y = op.infer(x)
    assert y == op.infer(x)
    space = op.workspace(x, y)
    assert isinstance(space, int)
    assert space >= 0


@pytest.mark.tf
@every_pair
def test_static_type(tf: Any, text: str, x: Tensor, values: Any) -> None:
    """The inferred dtype and shape are those of the graph, behind one batch dimension or two."""
    op = conformance.parse(text)
    y = op.infer(x)
    for batch in [(4,), (None, 3)] if op.batches and not op.rows else [()]:
        made = conformance.traced(tf, op, x, batch).structured_outputs
        assert made.dtype.name == y.dtype
        assert made.shape.as_list() == [*batch, *y.static_shape]


@pytest.mark.tf
@pytest.mark.parametrize("name", sorted({conformance.parse(text).key() for text, _, _ in PAIRS}))
def test_says_whether_it_calls_python(tf: Any, name: str) -> None:
    """An operation says that it calls Python exactly where its graph does."""
    from safedata.graphs import bodies
    from safedata.stages.distribute import PYTHON

    op, x = next((op, x) for text, x, _ in PAIRS if (op := conformance.parse(text)).key() == name)
    graph = conformance.traced(tf, op, x).graph.as_graph_def()
    assert op.python == any(node.op in PYTHON for body in bodies(graph) for node in body)


@pytest.mark.tf
@every_pair
def test_real_values(tf: Any, text: str, x: Tensor, values: Any) -> None:
    """Results lie inside the inferred dimensions and value range; a batch gives what its elements give."""
    import numpy as np

    op = conformance.parse(text)
    y = op.infer(x)
    single = conformance.run_each(tf, op, x, values)
    for made in single:
        for size, dim in zip(made.shape, y.shape, strict=True):
            assert dim.most is not None
            assert size == dim.most if dim.exact else size <= dim.most
        if y.range is not None:
            slack = 2e-5 * (y.range.high - y.range.low) * (50 if y.dtype == "float16" else 1)
            assert made.min() >= y.range.low - slack
            assert made.max() <= y.range.high + slack
        if y.dtype == "string":
            assert all(len(text) <= (y.length.most or 0) for text in made.flat)
    if op.rows:
        made = conformance.run_batch(tf, op, x, values)
        assert [row.tolist() for row in made] == [one.tolist() for one in single]
    elif op.batches:
        made = conformance.run_batch(tf, op, x, values)
        if op.key() in ROUNDED:
            np.testing.assert_allclose(made, np.stack(single), rtol=2e-7 if y.dtype == "float32" else 2e-3)
        else:
            np.testing.assert_array_equal(made, np.stack(single))
