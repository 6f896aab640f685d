"""`ensure_shape`: sizes that a component is known to have."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field, PositiveInt

from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.records import replace
from safedata.types import DTYPE_BYTES, Dim, Tensor


class EnsureShape(Op):
    """Say the exact size of dimensions that the type only bounds, as `tf.ensure_shape` does; nothing is changed.

    An element of another size is an error with its name (SD404 at run time), and so is a size that the type rules out
    (SD203 before the run). Behind it `batch` needs no padding.
    """

    example: ClassVar[str] = "{ensure_shape: [3, null]}"
    main: ClassVar[str | None] = "shape"
    fallible: ClassVar[bool] = True
    forwards: ClassVar[bool] = True
    gpu_dtypes: ClassVar[tuple[str, ...]] = tuple(DTYPE_BYTES)

    shape: Annotated[tuple[PositiveInt | None, ...], Field(strict=False)]
    """The size of every dimension of one element, null for one to leave as it is."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type with exact dimensions."""
        if len(self.shape) != x.rank:
            sizes = "1 size" if len(self.shape) == 1 else f"{len(self.shape)} sizes"
            way_out = f"write {x.rank} of them; `null` leaves a dimension as it is"
            raise Fault(
                "SD203", f"`ensure_shape` has {sizes} for the {x.rank} dimensions of {x}", help=way_out
            )
        for number, (dim, size) in enumerate(zip(x.shape, self.shape, strict=True)):
            if size is None or dim.most is None or size == dim.most:
                continue
            if dim.exact or size > dim.most:
                problem = f"dimension {number} of {x} is never {size}"
                raise Fault("SD203", problem, help=f"write {dim.most} or `null` there")
        return replace(x, shape=tuple(map(_sized, x.shape, self.shape)))

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether there is nothing to compare, which a GPU could not tell of."""
        known = len(self.shape) == x.rank and all(
            size is None or dim.exact for dim, size in zip(x.shape, self.shape, strict=True)
        )
        return super().on_gpu(x) and known

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the sizes."""
        return 16 * x.rank

    def lower(self, x: Any, call: Call) -> Any:
        """Return `x`, once its sizes are found to be these."""
        tf = call.tf
        if call.x.shape != call.y.shape:
            sizes = tf.shape(x)[call.batch_dims :]
            wanted = tf.stack([sizes[at] if size is None else size for at, size in enumerate(self.shape)])
            shown = ", ".join("any" if size is None else str(size) for size in self.shape)
            message = f"SD404: ensure_shape: dimensions must be [{shown}]; got"
            x = insist(tf, x, [Check(tf.reduce_all(sizes == wanted), message, sizes)], call.where)
        x = tf.identity(x)
        x.set_shape(
            (*x.shape[: call.batch_dims], *call.y.static_shape)
        )  # TensorFlow's own check has no name to tell
        return x


def _sized(dim: Dim, size: int | None) -> Dim:
    return dim if size is None else Dim.exactly(size, "declared" if not dim.exact else dim.evidence)
