"""Laws that every stage keeps."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
import yaml

from safedata import registry
from safedata.docstrings import fields_of
from safedata.scope import Scope
from safedata.stages.base import Stage
from safedata.types import BROKEN, Dim, Stream

STAGES = [registry.stage(name) for name in registry.names("stages")]
DENSE = "select: [value, image]"
PIPELINES = [
    "batch: 4",
    "batch: 5",
    "batch: 20",
    "batch: {size: 4, drop_remainder: true}",
    "batch: {size: 4, drop_remainder: true} | batch: 2",
    "batch: {size: 4, pad_last: valid}",
    "batch: {size: 5, pad_last: valid}",
    "batch: {size: 20, pad_last: valid}",
    "batch: {size: 4, pad_last: valid} | batch: {size: 2, pad_last: whole} | unbatch:",
    "batch: {size: 2, drop_remainder: true} | as_element: | batch: 2",
    "batch: {size: 4, pad_last: valid} | as_element:",
    "padded_batch: 4 | as_element:",
    "batch: 4 | unbatch:",
    "batch: {size: 4, drop_remainder: true} | unbatch:",
    "padded_batch: 4",
    "padded_batch: {size: 4, pad_last: valid}",
    "padded_batch: {size: 4, values: {numbers: -1, words: '?', value: 3}, pad_last: valid} | unbatch:",
    "padded_batch: {size: 3, pad_last: valid} | padded_batch: {size: 3, pad_last: whole}",
    "padded_batch: {size: 3, drop_remainder: true}",
    "padded_batch: {size: 4, shapes: {numbers: [5], image: [6, null]}, values: {numbers: -1, words: '?'}}",
    "padded_batch: {size: 4, shapes: {words: [3]}, values: {words: padding}} | unbatch:",
    "padded_batch: {size: 2, drop_remainder: true} | padded_batch: 2",
    "filter: value < 3",
    "filter: '= value % 2 == 0' | take: 2",
    "select: value",
    "select: [words, value]",
    "drop: words",
    "drop: [words, numbers]",
    "rename: {value: count, words: tags}",
    "rename: {image: words, words: image}",
    "shuffle: 4",
    "shuffle: 100",
    "shuffle: 2MB",
    "shuffle: all",
    "shuffle: {buffer: 4, seed: 3, reshuffle: false}",
    "prefetch: 2",
    "prefetch: auto",
    "prefetch: 1MiB",
    "cache: memory",
    "cache: memory | shuffle: all",
    "cache: | repeat: 2",
    "repeat: 3",
    "repeat: | take: 15",
    "repeat: | shard: {count: 3, index: 1} | take: 5",
    "take: 3",
    "take: 30",
    "skip: 3",
    "skip: 30",
    "skip: 0",
    "shard: {count: 3, index: 0}",
    "shard: {count: 3, index: 2}",
    "shard: {count: 30, index: 20}",
    "shuffle: 5 | cache: | padded_batch: 4 | repeat: 2 | prefetch: 1",
    "enumerate: number",
    "enumerate: {into: number, start: 5} | repeat: 2",
    f"{DENSE} | window: 3",
    f"{DENSE} | window: {{size: 3, shift: 1, drop_remainder: true}}",
    f"{DENSE} | window: {{size: 3, shift: 7, stride: 2}} | flatten: [value, image]",
    f"{DENSE} | window: {{size: 2, shift: 4, stride: 2, drop_remainder: true}} | batch: 2",
    f"{DENSE} | window: {{size: 20, shift: 3}}",
    "bucket_batch: {length: numbers, boundaries: [2], size: 3}",
    "bucket_batch: {length: [numbers, words], boundaries: [1, 2, 3, 9], tokens: 6, drop_remainder: true}",
    "bucket_batch: {length: numbers, boundaries: [2, 4], sizes: [4, 2, 1], pad_to_boundary: true} | unbatch:",
    "bucket_batch: {length: numbers, boundaries: [2], size: 3, pad_last: valid}",
    "bucket_batch: {length: numbers, boundaries: [2], sizes: [3, 2], pad_last: valid, same_bucket_groups: 2}",
    "bucket_batch: {length: numbers, boundaries: [2], size: 2, drop_remainder: true, same_bucket_groups: 2}",
    "split: {part: b, parts: {a: 0.5, b: 0.3}}",
    "split: {part: b, parts: {a: 0.5, b: 0.5}, by: value}",
    "flatten: image",
    "flatten: numbers | take: 5",
    "flatten: [numbers, words] | batch: 2",
    "ragged_batch: {size: 3, drop_remainder: true} | unbatch:",
    "concat_and_split: {components: image, length: 7}",
    "concat_and_split: {components: image, length: 7, drop_remainder: true} | batch: 2",
    "concat_and_split: {components: [numbers, words], length: 2} | flatten: words",
    "concat_and_split: {components: words, length: 40}",
]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.key())
def test_example_is_read(stage: type[Stage], read: Any) -> None:
    """The example of a stage is a step of that stage."""
    assert next(iter(yaml.safe_load(stage.example))) == stage.key()
    assert isinstance(read(stage.example), stage)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.key())
def test_stage_is_documented(stage: type[Stage]) -> None:
    """A stage and each of its fields have a description, and its main field and knobs exist."""
    assert stage.__doc__
    assert stage.__doc__ != Stage.__doc__
    fields = fields_of(stage)
    assert all(field.text for field in fields.values())
    assert fields.keys() >= {*stage.knobs, *([stage.main] if stage.main else [])}
    assert stage.model_json_schema(by_alias=False)["properties"].keys() >= fields.keys()


@pytest.mark.tf
@pytest.mark.parametrize("steps", PIPELINES)
def test_type_is_what_tensorflow_makes(steps: str, run: Any) -> None:
    """Dtypes, static shapes and the number of elements are TensorFlow's, and every element is of its type."""
    ran = run(*_dense(steps))
    spec = ran.data.element_spec
    assert {name: (t.dtype, t.static_shape) for name, t in ran.stream.element.items()} == {
        name: (one.dtype.name, tuple(one.shape.as_list())) for name, one in spec.items()
    }
    elements = list(ran.data.as_numpy_iterator())
    for element in elements:
        _check(element, ran.stream)
    cardinality = ran.stream.cardinality
    assert cardinality.kind in ("exactly", "at most")
    assert len(elements) == cardinality.count or (
        cardinality.kind == "at most" and len(elements) < cardinality.count
    )


def _dense(steps: str) -> list[str]:
    """Return the steps, with a selection before a batch that needs one shape."""
    listed = steps.split(" | ")
    return [DENSE, *listed] if listed[0].startswith("batch") else listed


def _check(element: dict[str, Any], stream: Stream) -> None:
    import numpy as np

    for name, tensor in stream.element.items():
        value = np.asarray(element[name])
        assert all(_within(size, dim) for size, dim in zip(value.shape, tensor.shape, strict=True))
        if tensor.dtype == "string":
            assert all(_within(len(text), tensor.length) for text in value.ravel().tolist())
        elif tensor.range is not None and value.size:
            assert tensor.range.low <= value.min() <= value.max() <= tensor.range.high


def _within(size: int, dim: Dim) -> bool:
    return dim.most is not None and (size == dim.most if dim.exact else size <= dim.most)


@pytest.mark.parametrize("steps", PIPELINES)
def test_holds_count_upwards(steps: str, given: Any, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a stage holds is never negative or unknown here, grows with the elements, and reads no file."""
    scope = Scope("", cpus=2)

    def refuse(*_: object, **__: object) -> Any:
        raise AssertionError("a file was opened")

    stages = [read(step) for step in _dense(steps)]
    monkeypatch.setattr(builtins, "open", refuse)
    stream, larger = given.stream, type(given)(1000).stream
    for stage in stages:
        after, more = stage.infer(stream, scope), stage.infer(larger, scope)
        held = [hold.bytes for hold in stage.holds(stream, after, scope)]
        held_more = [hold.bytes for hold in stage.holds(larger, more, scope)]
        assert all(one is not None and one >= 0 for one in held)
        assert all(one <= two for one, two in zip(held, held_more, strict=True))
        stream, larger = after, more


@pytest.mark.parametrize("steps", PIPELINES)
def test_index_stays(steps: str, infer: Any) -> None:
    """The internal components of an element reach the end whatever is selected, dropped or renamed."""
    assert "#index" in infer(*_dense(steps)).element


def test_commuting_stages() -> None:
    """Only stages that reorder, repeat or leave out elements unseen may be passed by others."""
    assert {stage.key() for stage in STAGES if stage.commutes} == {
        "shuffle",
        "shard",
        "take",
        "skip",
        "repeat",
    }


@pytest.mark.parametrize("steps", PIPELINES)
def test_no_fault_behind_a_fault(steps: str, given: Any, read: Any) -> None:
    """A component that has no type, because of an earlier problem, causes no other one."""
    stream = given.stream
    stream = stream.with_element(dict.fromkeys(stream.element, BROKEN))
    for step in steps.split(" | "):
        stream = read(step).infer(stream, Scope("", cpus=2))
    assert all(
        tensor.broken
        for name, tensor in stream.element.items()
        if name not in ("number", "#row", "#index", "#epoch", "valid", "whole")
    )
