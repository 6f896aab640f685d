"""What an operation must tell about itself."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from safedata.lowering import Call
from safedata.problem import Fault
from safedata.types import Tensor


class Op(BaseModel):
    """One operation of a map's chain: its fields, its static rule, its bytes, its graph.

    Types are those of one element; `Call.batch_dims` says how many batch dimensions the tensors in the
    graph have beside them. The class docstring, the field docstrings and `example` are the reference
    page, the JSON Schema and the first test.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    example: ClassVar[str]
    """A chain's entry as YAML, in its shortest form."""
    main: ClassVar[str | None] = None
    """The field that the short form fills: `{resize: [224, 224]}` is `{resize: {size: [224, 224]}}`."""
    random: ClassVar[bool] = False
    """Whether it draws, so that the element needs an index and an epoch."""
    fallible: ClassVar[bool] = False
    """Whether it may find the data itself bad, so that `runtime.on_error` speaks of it."""
    gpu_dtypes: ClassVar[tuple[str, ...]] = ()
    """Dtypes of what comes in for which TensorFlow has GPU kernels for the whole of its graph."""
    forwards: ClassVar[bool] = False
    """Whether its result takes the place of an intermediate of the same size that comes in: TensorFlow's kernels for
    arithmetic do (`forward_input_or_allocate_output`)."""
    batches: ClassVar[bool] = True
    """Whether it takes a batch as well as an element."""
    ragged: ClassVar[bool] = False
    """Whether it takes a ragged component as well as a dense one."""

    @abstractmethod
    def infer(self, x: Tensor) -> Tensor:
        """Return the type of the result for an element of type `x`.

        Raises:
            Fault: the operation cannot take such a component.
        """

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether it can run on a GPU for elements of type `x`, and find no data bad there."""
        return x.dtype in self.gpu_dtypes

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return an upper bound in bytes of what one call holds beside `x` and `y`; None when unbounded."""
        return 0

    @abstractmethod
    def lower(self, x: Any, call: Call) -> Any:
        """Return the tensor that this operation makes of `x`."""

    def require(self, x: Tensor, *dtypes: str, help: str | None = None) -> None:
        """Raise SD202 unless `x` has one of these dtypes."""
        if x.dtype not in dtypes:
            wanted = " or ".join(dtypes) if len(dtypes) < 5 else "a number"
            raise Fault("SD202", f"`{self.key()}` takes {wanted}, and this component is {x}", help=help)

    def require_image(self, x: Tensor) -> None:
        """Raise SD203 unless `x` has the three dimensions height, width, channels."""
        if x.dtype == "string" or x.rank != 3:
            way_out = "put `decode_image` before it" if x.dtype == "string" else None
            raise Fault(
                "SD203", f"`{self.key()}` takes an image [height, width, channels], not {x}", help=way_out
            )

    @classmethod
    def key(cls) -> str:
        """Return the name that specs use, the module's own."""
        return cls.__module__.rpartition(".")[2]
