"""`parse_sequence_example`: the features of a serialized sequence example, each a component."""

from __future__ import annotations

from typing import ClassVar

from safedata.ops.tensor.parse_example import ParseExample


class ParseSequenceExample(ParseExample):
    """Take a serialized `tf.train.SequenceExample` apart, as `tf.io.parse_sequence_example` does.

    Features with `kind: sequence` are its steps, each of `shape`, and those with `kind: ragged_sequence` steps whose
    numbers of values differ, each a row; the others are its context. All else is as in `parse_example`: a sequence has
    at most as many steps as the record has bytes for unless `max` (of a ragged one `max_rows`) says less. Of a batch
    it becomes ragged rows; a ragged one stands before `batch`. A record without a sequence has one of no steps.
    """

    example: ClassVar[str] = (
        "{parse_sequence_example: {features: {frames: {dtype: float32, kind: sequence, shape: [4], max: 30}}}}"
    )
    sequence: ClassVar[bool] = True
