"""What an operation must tell about itself."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from safedata import draws
from safedata.lowering import Call
from safedata.memory import add, times
from safedata.problem import Fault
from safedata.types import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

    from safedata.ops._computed import Formula
    from safedata.ops._links import Place


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
    elements: ClassVar[bool] = True
    """Whether it takes an element as well as a batch."""
    moves: ClassVar[bool] = False
    """Whether it moves, cuts or resizes what an image shows, so that a mask that is linked to it must come along."""
    proportional: ClassVar[bool] = False
    """Whether it moves linked images alike whatever their sizes, as long as their sides are in one proportion."""
    colors: ClassVar[bool] = False
    """Whether it changes the values of an image and nothing else, so that a mask that is linked to it stays."""
    ragged: ClassVar[bool] = False
    """Whether it takes a ragged component as well as a dense one."""
    python: ClassVar[bool] = False
    """Whether its graph calls functions of Python's, which only the process that made it has."""
    revision: ClassVar[int] = 1
    """A number that is part of the key of caches on disk: another one once the same operation makes other elements."""

    @property
    def rows(self) -> bool:
        """Whether it makes a ragged component of a batch: a row for each of its elements."""
        return False

    @property
    def formula(self) -> Formula | None:
        """The expression that it computes; none for an ordinary one."""
        return None

    @property
    def turns(self) -> int | None:
        """How many calls of a map may run it at once, the others before or behind it; None for all of them."""
        return None

    @property
    def inner(self) -> tuple[Op, ...]:
        """The operations that it applies itself, theirs included; none for an ordinary one."""
        return ()

    @classmethod
    def parse(cls, fields: object, place: Place) -> Self | None:
        """Return the operation that a chain's entry says, or None after its faults were reported.

        Args:
            fields: what stands behind the operation's name, as plain data; None where nothing does.
            place: where that is.
        """
        if fields is None:
            given: dict[str, object] = {}
        elif isinstance(fields, dict):
            given = cast("dict[str, object]", fields)
        elif cls.main is None:
            place.fault(
                Fault(
                    "SD105",
                    f"`{cls.key()}` takes a mapping of its fields, not `{fields}`",
                    help=f"write it as `{cls.example}`",
                )
            )
            return None
        else:
            given = {cls.main: fields}
        try:
            return cls.model_validate(given, context=place.context)
        except ValidationError as error:
            last = place.path[-1:] == (cls.key(),)
            place.invalid(error, place.path if last else (*place.path, cls.key()))
        except Fault as fault:  # of a file that it names
            place.fault(fault)
        return None

    @abstractmethod
    def infer(self, x: Tensor) -> Tensor:
        """Return the type of the result for an element of type `x`.

        Raises:
            Fault: the operation cannot take such a component.
        """

    def refuses(self, x: Tensor) -> Fault | None:
        """Return what is wrong with elements that are known to come, though others are fine; None where nothing is.

        It is an error where all elements come here and none may be left out, and a warning elsewhere.
        """
        return None

    def drawn_by(self, chain: int, number: int) -> int:
        """Return the seed of its draws.

        Args:
            chain: the seed of the chain that it stands in.
            number: how many operations that draw stand before it there.
        """
        return draws.derive_seed(chain, number, self.key())

    def on_gpu(self, x: Tensor) -> bool:
        """Return whether it can run on a GPU for elements of type `x`, and find no data bad there."""
        return x.dtype in self.gpu_dtypes

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return an upper bound in bytes of what one call holds beside `x` and `y`; None when unbounded."""
        return 0

    def idle(self, x: Tensor) -> bool:
        """Return whether it hands on elements of type `x` as the tensors that they are."""
        return False

    def scratch(self, x: Tensor, y: Tensor) -> int | None:
        """Return which of `workspace`'s bytes are large blocks that a library takes from `malloc`, not from TensorFlow.

        They stay in the arena of the thread that had them, however few calls run at once.
        """
        return 0

    def resident(self) -> int | None:
        """Return an upper bound in bytes of what it keeps for all calls together, such as a table of words."""
        return 0

    def batch_workspace(self, x: Tensor, y: Tensor, count: int) -> int | None:
        """Return the bound of `workspace` for a batch of so many elements; that many times as much unless said."""
        return times(count, self.workspace(x, y))

    @abstractmethod
    def lower(self, x: Any, call: Call) -> Any:
        """Return the tensor that this operation makes of `x`."""

    def for_mask(self) -> Op:
        """Return the operation that does to a mask what this one does to the image that it is linked to.

        Classes cannot be mixed, so every pixel is the nearest one; what comes in from outside is `mask_value`.
        """
        nearest = {"method": "nearest", "interpolation": "nearest", "antialias": False, "keep_dtype": False}
        changes: dict[str, object] = {
            name: one for name, one in nearest.items() if name in type(self).model_fields
        }
        if "mask_value" in type(self).model_fields:
            filling = "fill_value" if "fill_value" in type(self).model_fields else "value"
            changes[filling] = float(getattr(self, "mask_value"))  # noqa: B009  # a field of some operations
        return self.model_copy(update=changes)

    def scales(self, count: int) -> tuple[int, ...] | None:
        """Return how the sizes of so many linked components have to be to each other, None where any will do."""
        return None if self.proportional else (1,) * count

    def scaled_help(self, xs: tuple[Tensor, ...]) -> str | None:
        """Return the way out for linked images of other sizes than `scales` says, where a field of its own is one."""
        return None

    def for_place(self, place: int, count: int) -> Op:
        """Return the operation for the linked component in this place of so many."""
        return self

    def check_batch(self, x: Tensor) -> None:
        """Raise SD207 unless it takes a batch of elements of type `x`."""
        if not self.batches:
            problem = f"`{self.key()}` takes one element, not a batch"
            raise Fault("SD207", problem, help="put this map before `batch`")

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


class Joint(Op):
    """An operation on several components at once: it makes one of them, several of one, or as many others.

    With one component it is an ordinary operation, whose result is the first that it makes.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """What it calls its results, in order, where it calls them something."""
        return ()

    @abstractmethod
    def infer_all(self, xs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return the types of the results for components of types `xs`.

        Raises:
            Fault: the operation cannot take these components.
        """

    def ragged_rows(self) -> tuple[bool, ...]:
        """Return for each result whether it is a ragged component of a batch; asked only where some are (`rows`)."""
        return ()

    def check_all(self, xs: tuple[Tensor, ...], batch_dims: int) -> None:
        """Raise where it cannot take elements (`batch_dims` 0), or a batch, of these together; nothing unless said."""

    def workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...]) -> int | None:
        """Return an upper bound in bytes of what one call holds beside `xs` and `ys`; None when unbounded."""
        return 0

    def batch_workspace_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...], count: int) -> int | None:
        """Return the bound of `workspace_all` for a batch of so many elements; that many times as much unless said."""
        return times(count, self.workspace_all(xs, ys))

    def aside_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...], count: int) -> int | None:
        """Return the same for a call before or behind its turn, where only some may run it at once (`turns`)."""
        return self.batch_workspace_all(xs, ys, count)

    def scratch_all(self, xs: tuple[Tensor, ...], ys: tuple[Tensor, ...], count: int | None) -> int | None:
        """Return the bound of `scratch` for so many elements at once, the number None where nothing bounds it."""
        return 0

    def off_gpu(self, xs: tuple[Tensor, ...]) -> Tensor | None:
        """Return the first of these components that no GPU can take, None where one takes all; text is left out."""
        known = (x for x in xs if not x.broken and x.dtype != "string")
        return next((x for x in known if not self.on_gpu(x)), None)

    @abstractmethod
    def lower_all(self, values: tuple[Any, ...], call: Call, xs: tuple[Tensor, ...]) -> tuple[Any, ...]:
        """Return the tensors that this operation makes of `values`, whose types are `xs`."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of the first result for one component."""
        return self.infer_all((x,))[0]

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return what one call for one component holds beside it and the first result, the other results included."""
        ys = self.infer_all((x,))
        return add(self.workspace_all((x,), ys), *(one.bytes for one in ys[1:]))

    def batch_workspace(self, x: Tensor, y: Tensor, count: int) -> int | None:
        """Return the same for a batch of so many elements."""
        ys = self.infer_all((x,))
        return add(self.batch_workspace_all((x,), ys, count), *(times(count, one.bytes) for one in ys[1:]))

    def lower(self, x: Any, call: Call) -> Any:
        """Return the first result for one component."""
        return self.lower_all((x,), call, (call.x,))[0]
