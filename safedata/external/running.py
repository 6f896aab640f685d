"""A Python function inside a pipeline: what it gets, and what must hold of what it returns.

NumPy is imported here only where a function runs, which is long after TensorFlow brought it in.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from safedata.external.callee import Callee
from safedata.external.timed import LateError, Places
from safedata.problem import Fault
from safedata.types import Dim, Tensor

_failed: dict[str, BaseException] = {}
"""The function's own exception behind the last failure, by the message that TensorFlow repeats."""


class CallFailedError(ValueError):
    """A function that raised, or that did not keep to what the spec declares; TensorFlow repeats the text."""


class Caller:
    """Calls one function for one element, or batch, at a time, as often at once as it may be."""

    def __init__(self, callee: Callee, parallel: int, *, batch_dims: int = 0) -> None:
        """Take a function.

        Args:
            callee: takes the components in order, and `seed`, the first argument from the graph, where it is seeded.
            parallel: how many calls of it may run at once.
            batch_dims: how many leading dimensions what it takes and returns has beside the declared types.
        """
        self.callee = callee
        self.batch_dims = batch_dims
        self._places = Places(parallel, callee.timeout_s)

    def __call__(self, where: bytes, *args: Any) -> list[Any]:
        """Return the components that the function makes, in the order of `outputs`.

        Args:
            where: where the element comes from, for messages.
            args: the seed where it is seeded, one for each element of a batch, and the components.

        Raises:
            CallFailedError: SD511, it returned something else than is declared; SD512, it raised; SD251, its time is
                up.
        """
        named = {"seed": args[0] if self.batch_dims else int(args[0])} if self.callee.seeded else {}
        given = [_read_only(value) for value in args[len(named) :]]
        place = where.decode("utf-8", "backslashreplace")
        try:
            made = self._places.run(lambda: self.run(given, named))
        except KeyboardInterrupt:
            raise
        # `sys.exit` and `StopIteration` would end the process or, without a word, the dataset.
        except BaseException as error:
            raise told(error, self.callee.name, place) from (None if isinstance(error, Fault) else error)
        try:
            return self.settle(made, given)
        except Fault as fault:
            raise refused(fault, self.callee.name, place) from None

    def run(self, given: Sequence[Any], named: Mapping[str, Any]) -> Any:
        """Return what the function makes of its arguments."""
        return self.callee(*given, **named)

    def settle(self, made: Any, given: Sequence[Any]) -> list[Any]:
        """Return the components among `made`, in their order, once they are of their types; raises SD511."""
        outputs = self.callee.outputs
        several = components(made, outputs)
        leading = [Dim.exactly(size) for size in given[0].shape[: self.batch_dims]] if self.batch_dims else []
        return [
            settled(several[name], name, tensor.with_leading(*leading)) for name, tensor in outputs.items()
        ]


def told(error: BaseException, name: str, place: str) -> CallFailedError:
    """Return what TensorFlow is to repeat of whatever ended a call."""
    if isinstance(error, LateError):
        return CallFailedError(f"SD251: `{name}` {error}, in {place}")
    return refused(error, name, place) if isinstance(error, Fault) else raised(error, name, place)


def raised(error: BaseException, name: str, place: str) -> CallFailedError:
    """Return what TensorFlow is to repeat of a function's exception, which is kept without what its frames hold."""
    said = str(error).partition("\n")[0]
    text = f"SD512: `{name}` raised {type(error).__name__}{': ' if said else ''}{said}, in {place}"
    traceback.clear_frames(error.__traceback__)
    _failed.clear()
    _failed[text] = error
    return CallFailedError(text)


def refused(fault: Fault, name: str, place: str) -> CallFailedError:
    """Return what TensorFlow is to repeat of something that is not as declared."""
    return CallFailedError(f"SD511: `{name}` {fault.message}, in {place}")


def components(made: Any, outputs: Mapping[str, Tensor]) -> Mapping[str, Any]:
    """Return what a function made by the names of its components: a mapping of them, or the only one itself.

    Raises:
        Fault: SD511, they are others.
    """
    if isinstance(made, Mapping):
        several = cast("Mapping[str, Any]", made)
    elif len(outputs) == 1:
        several = dict.fromkeys(outputs, made)
    else:
        wanted = ", ".join(f"`{name}`" for name in outputs)
        raise Fault("SD511", f"returned {kind_of(made)}, and a dict of {wanted} is declared")
    if set(several) != set(outputs):
        found, wanted = (
            ", ".join(f"`{name}`" for name in names) or "nothing" for names in (several, outputs)
        )
        raise Fault("SD511", f"returned the components {found}, and {wanted} is declared")
    return several


def cause_of(text: str) -> BaseException | None:
    """Return the exception of a function that TensorFlow's message speaks of, None where it speaks of none."""
    return next((error for said, error in _failed.items() if said in text), None)


def _read_only(value: Any) -> Any:
    """Return an argument that cannot be changed: its bytes are TensorFlow's, and others may have the same."""
    if hasattr(value, "flags"):
        flags = value.flags
        if flags.writeable and getattr(value, "shape", ()):
            flags.writeable = False
    return value


def _is_array(made: Any) -> bool:
    return hasattr(made, "dtype") and hasattr(made, "shape")


def kind_of(made: Any) -> str:
    """Return what something is, as a type where it is an array: `uint8[4, 3]`."""
    if _is_array(made):
        return f"{made.dtype}[{', '.join(map(str, made.shape))}]"
    return "nothing" if made is None else f"a {type(made).__name__}"


def settled(made: Any, name: str, tensor: Tensor) -> Any:
    """Return what a function returned for a component as an array of its declared type.

    Arrays are taken as they are; Python's own numbers and lists become the dtype where that changes no value.

    Raises:
        Fault: SD511, dtype, shape, string length or value range are others; the message starts with a verb.
    """
    array = _text(made, name) if tensor.dtype == "string" else _numbers(made, name, tensor)
    dims = zip(array.shape, tensor.shape, strict=False)
    within = all(size == dim.most if dim.exact else size <= (dim.most or 0) for size, dim in dims)
    if array.ndim != tensor.rank or not within:
        raise _other(
            kind_of(array) if tensor.dtype != "string" else f"string{list(array.shape)}", name, tensor
        )
    if array.size and tensor.dtype == "string":
        longest = max(len(one) for one in array.flat)
        if tensor.length.most is not None and longest > tensor.length.most:
            raise _other(f"text of {longest} bytes", name, tensor)
    if array.size and tensor.range is not None:
        low, high = array.min(), array.max()
        if not (tensor.range.low <= low and high <= tensor.range.high):  # NaN is in no range
            raise Fault(
                "SD511", f"returned values of {low:g}..{high:g} for `{name}`, and {tensor.range} is declared"
            )
    return array


def _other(found: str, name: str, tensor: Tensor) -> Fault:
    return Fault("SD511", f"returned {found} for `{name}`, and {tensor} is declared")


def _text(made: Any, name: str) -> Any:
    import numpy as np

    array: Any = np.asarray(made, dtype=object)
    every: list[Any] = [one.encode() if isinstance(one, str) else one for one in array.flat]
    if not all(isinstance(one, bytes) for one in every):
        odd = next(one for one in every if not isinstance(one, bytes))
        raise Fault("SD511", f"returned {kind_of(odd)} for `{name}`, and text is declared")
    found: Any = np.empty(len(every), dtype=object)
    found[:] = every
    return found.reshape(array.shape)


_KINDS: Final = {"b": "biuf", "i": "iuf", "u": "iuf", "f": "fc", "c": "c"}
"""For each kind of Python's numbers, the kinds of dtypes that hold them."""


def _numbers(made: Any, name: str, tensor: Tensor) -> Any:
    import numpy as np

    array: Any
    if _is_array(made):
        array = np.asarray(made)
        if array.dtype.name != tensor.dtype:
            raise _other(kind_of(array), name, tensor)
        return array
    try:
        array = np.asarray(made)
    except (ValueError, OverflowError):  # lists that are no rectangle
        raise _other(kind_of(made), name, tensor) from None
    wanted = np.dtype(tensor.dtype)  # TensorFlow has made `bfloat16` known to NumPy
    kind = "f" if tensor.dtype == "bfloat16" else wanted.kind
    if kind not in _KINDS.get(array.dtype.kind, "") and array.size:
        raise _other(kind_of(made) if array.dtype.kind in "OUSMm" else kind_of(array), name, tensor)
    with np.errstate(all="ignore"):
        cast_array = array.astype(wanted)
    if kind in "biu" and (cast_array != array).any():
        raise _other(f"{array.min()}..{array.max()}", name, tensor)
    return cast_array
