"""The graph of `bucket_batch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safedata.lowering import Lowering, Values, as_written
from safedata.stages._buckets import length_of
from safedata.stages._filling import filled_up, named, padding

if TYPE_CHECKING:
    from safedata.stages.bucket_batch import BucketBatch


def bucketed(stage: BucketBatch, data: Any, low: Lowering) -> Any:
    """Return the dataset of padded batches, every boundary and size written out."""
    tf = low.tf
    starts = tf.constant(stage.starts, tf.int64)
    sizes = stage.all_sizes(low.before)

    def bucket(values: Values) -> Any:
        lengths = [length_of(tf, values[name]) for name in stage.named]
        length = tf.reduce_max(tf.stack(lengths)) if len(lengths) > 1 else lengths[0]
        return tf.reduce_sum(tf.cast(starts <= length, tf.int64))

    def size(key: Any) -> Any:
        return sizes[0] if len(set(sizes)) == 1 else tf.gather(tf.constant(sizes, tf.int64), key)

    def group(key: Any) -> Any:
        return tf.cast(size(key), tf.int64) * stage.same_bucket_groups

    def batch(key: Any, window: Any) -> Any:
        rows, shapes = size(key), _shapes(stage, low, key, starts)
        fill = padding(tf, low.before.element, stage.values)
        if stage.pad_last is not None:
            pairs = filled_up(window, rows, low, stage.values, up_to=group(key))
            return pairs.padded_batch(rows, (shapes, []), (fill, None), drop_remainder=True)
        if stage.drop_remainder and stage.same_bucket_groups > 1:
            # The last windows have what is left, which may be whole batches and no whole group of them.
            window = window.take(tf.where(window.cardinality() == group(key), group(key), 0))
        return window.padded_batch(rows, shapes, fill, drop_remainder=stage.drop_remainder)

    data = data.group_by_window(
        as_written(low, bucket), as_written(low, batch), window_size_func=as_written(low, group)
    )
    return data if stage.pad_last is None else data.map(as_written(low, named(stage.pad_last)))


def _shapes(stage: BucketBatch, low: Lowering, key: Any, starts: Any) -> dict[str, Any]:
    tf, shapes = low.tf, dict[str, Any]()
    for name, tensor in low.before.element.items():
        static = [dim.static for dim in tensor.shape]
        if stage.pad_to_boundary and name in stage.named:
            # Behind the last boundary there is nothing, so the last one serves for it too.
            length = tf.gather(starts, tf.minimum(key, len(stage.starts) - 1)) - 1
            rest = [-1 if one is None else one for one in static[1:]]
            shapes[name] = tf.concat([length[tf.newaxis], tf.constant(rest, tf.int64, [len(rest)])], 0)
        else:
            shapes[name] = static
    return shapes
