"""`crop`: the part of an image that a component of the same element says."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import model_validator
from typing_extensions import Self

from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops import _walk
from safedata.ops._fields import NUMBERS, ImageSize
from safedata.ops.base import Joint
from safedata.ops.image._image import crop, cropped_rows, in_batches, parts, require_size, with_size
from safedata.problem import Fault
from safedata.types import FLOATS, INTEGERS, Dim, Tensor


class Crop(Joint):
    """Cut out the part that a box says, the last component of the chain: `image: [{from: [image, box]}, crop]`.

    The box is `[top, left, height, width]`, as `tf.image.crop_to_bounding_box` takes it, or with `format: yxyx` the
    corners `[top, left, bottom, right]`. Whole numbers are pixels; fractions are shares of the sides, 0 to 1, whose
    ends are rounded to whole pixels, with one at least. With `size` it is `[top, left]`, and the part has exactly that
    size; only then can a batch be cut, each of its images by its own box. A box that is not inside the image is an
    error with the element's name (SD203). Masks are cut alike: `image, mask: [{from: [image, mask, box]}, crop]`.
    """

    example: ClassVar[str] = "{crop: {format: yxyx}}"
    main: ClassVar[str | None] = "size"
    fallible: ClassVar[bool] = True
    moves: ClassVar[bool] = True

    size: ImageSize | None = None
    """Height and width of the part, in pixels, where the box says only its place."""
    max_size: ImageSize | None = None
    """The largest height and width that a box may have, in pixels; a larger one is an error (SD501)."""
    format: Literal["yxhw", "yxyx"] = "yxhw"
    """What the four numbers are: start and size, or two corners."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.size is not None and self.max_size is not None:
            raise ValueError("`max_size` is for boxes of four numbers, without `size`")
        return self

    def check_batch(self, x: Tensor) -> None:
        """Raise SD207 for parts whose sizes differ, which no batch can hold."""
        if self.size is None:
            problem = "`crop` makes parts of the sizes that the boxes say, which no batch can hold"
            way_out = "put this map before `batch`, or give `size` and boxes of `[top, left]`"
            raise Fault("SD207", problem, help=way_out)

    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the type of each part."""
        *images, box = xs
        wanted = 4 if self.size is None else 2
        if (
            not images
            or box.rank != 1
            or box.shape[0].static != wanted
            or box.dtype not in (*INTEGERS, *FLOATS)
        ):
            problem = f"the last component of `crop` is a box of {wanted} numbers, not {box}"
            raise Fault("SD203", problem, help="write `{from: [image, box]}` before it")
        for x in images:
            self.require_image(x)
            self.require(x, *NUMBERS, "bool")
            if self.size is not None:
                require_size(x, self.size, self.key())
        _walk.require_sizes(self, tuple(images), ())
        return tuple(with_size(x, *self._sides(x)) for x in images)

    def _sides(self, x: Tensor) -> tuple[Dim, Dim]:
        if self.size is not None:
            return Dim.exactly(self.size[0]), Dim.exactly(self.size[1])
        dims = [Dim.at_most(dim.most, dim.evidence) for dim in x.shape[:2]]
        for place, most in enumerate(self.max_size or ()):
            found = dims[place].most
            if found is None or found > most:
                dims[place] = Dim.at_most(most, "declared")
        return dims[0], dims[1]

    def workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...]) -> int | None:
        """Return the bytes of the rows that stay, before their ends are cut."""
        rows = [cropped_rows(x, y) for x, y in zip(xs, ys, strict=False)]
        return add(*rows, times(8, xs[0].shape[0].most), 4096)

    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return each part."""
        tf = call.tf
        *images, box = _walk.of_one_size(values[:-1], xs[:-1], call) + values[-1:]
        found = tf.shape(images[0])[call.batch_dims : call.batch_dims + 2]
        start, size = self._pixels(tf, box, found)
        fits = tf.reduce_all((start >= 0) & (size > 0) & (start + size <= found), -1)
        inside = tf.reduce_all(fits)
        said = _walk.listed(tf, [_first(tf, tf.concat([start, size], -1), fits), found])
        checks = [
            Check(inside, "SD203: crop: a box is outside of its image; top, left and size, image:", said)
        ]
        if self.max_size is not None:
            fits = tf.reduce_all(size <= tf.constant(self.max_size))
            checks.append(Check(fits, f"SD501: crop: boxes must be at most {list(self.max_size)}; got", size))
        start, size = tf.split(insist(tf, tf.concat([start, size], -1), checks, call.where), 2, -1)
        ys = self.infer_all(xs)
        if self.size is not None and call.batch_dims:
            tops = tf.reshape(start, [-1, 2])
            cut = partial(parts, tf, start=tops, size=self.size)
            typed = zip(images, xs, ys, strict=False)
            return tuple(in_batches(call.typed(x, y), one, cut) for one, x, y in typed)
        made = (crop(call, one, start[0], start[1], (size[0], size[1])) for one in images)
        return tuple(tf.ensure_shape(part, y.static_shape) for part, y in zip(made, ys, strict=True))

    def _pixels(self, tf: Any, box: Any, found: Any) -> tuple[Any, Any]:
        """Return top and left, and height and width, int32 [batch..., 2] each."""
        shares = box.dtype.is_floating

        def whole(numbers: Any) -> Any:
            return tf.cast(tf.round(numbers) if shares else numbers, tf.int32)

        if shares:
            sides = tf.tile(tf.cast(found, tf.float64), [1 if self.size is not None else 2])
            box = tf.cast(box, tf.float64) * sides
        if self.size is not None:
            start = whole(box)
            return start, tf.broadcast_to(tf.constant(self.size), tf.shape(start))
        start, end = whole(box[:2]), whole(box[2:] if self.format == "yxyx" else box[:2] + box[2:])
        return start, tf.maximum(end - start, 1) if shares else end - start


def _first(tf: Any, boxes: Any, fits: Any) -> Any:
    """Return the first of a batch's boxes that does not fit, the only box of an element: int32 [4]."""
    wrong = tf.argmin(tf.cast(tf.reshape(fits, [-1]), tf.int32))
    return tf.reshape(boxes, [-1, 4])[wrong]
