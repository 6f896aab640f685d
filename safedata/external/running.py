"""A Python function inside a pipeline: what it gets, and what must hold of what it returns.

NumPy is imported here only where a function runs, which is long after TensorFlow brought it in.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from safedata.problem import Fault
from safedata.types import Tensor

_failed: dict[str, BaseException] = {}
"""The function's own exception behind the last failure, by the message that TensorFlow repeats."""


class CallFailedError(ValueError):
    """A function that raised, or that did not keep to what the spec declares; TensorFlow repeats the text."""


class Caller:
    """Calls one function for one element at a time, as often at once as it may be."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        outputs: Mapping[str, Tensor],
        parallel: int,
        *,
        seeded: bool,
    ) -> None:
        """Take a function and what it is declared to return.

        Args:
            function: takes the components in order, and `seed` where it is seeded.
            name: what messages call it.
            outputs: the type of each component that it returns.
            parallel: how many calls of it may run at once.
            seeded: whether the first argument from the graph is its seed.
        """
        self.function = function
        self.name = name
        self.outputs = outputs
        self.seeded = seeded
        self._free = threading.BoundedSemaphore(parallel)

    def __call__(self, where: bytes, *args: Any) -> list[Any]:
        """Return the components that the function makes, in the order of `outputs`.

        Args:
            where: where the element comes from, for messages.
            args: the seed where it is seeded, and the components.

        Raises:
            CallFailedError: SD511, it returned something else than is declared; SD512, it raised.
        """
        named = {"seed": int(args[0])} if self.seeded else {}
        given = [_read_only(value) for value in args[len(named) :]]
        place = where.decode("utf-8", "backslashreplace")
        try:
            with self._free:
                made = self.function(*given, **named)
        except KeyboardInterrupt:
            raise
        # `sys.exit` and `StopIteration` would end the process or, without a word, the dataset.
        except BaseException as error:
            raise self._told(error, place) from error
        try:
            return self._settled(made)
        except Fault as fault:
            raise CallFailedError(f"SD511: `{self.name}` {fault.message}, in {place}") from None

    def _told(self, error: BaseException, place: str) -> CallFailedError:
        """Return what TensorFlow is to repeat; the exception is kept without what its frames hold."""
        said = str(error).partition("\n")[0]
        text = f"SD512: `{self.name}` raised {type(error).__name__}{': ' if said else ''}{said}, in {place}"
        traceback.clear_frames(error.__traceback__)
        _failed.clear()
        _failed[text] = error
        return CallFailedError(text)

    def _settled(self, made: Any) -> list[Any]:
        if len(self.outputs) == 1:
            [(name, _tensor)] = self.outputs.items()
            several = cast("Mapping[str, Any]", made) if isinstance(made, Mapping) else {name: made}
        elif isinstance(made, Mapping):
            several = cast("Mapping[str, Any]", made)
        else:
            wanted = ", ".join(f"`{name}`" for name in self.outputs)
            raise Fault("SD511", f"returned {_kind(made)}, and a dict of {wanted} is declared")
        if set(several) != set(self.outputs):
            found, wanted = (
                ", ".join(f"`{name}`" for name in names) or "nothing" for names in (several, self.outputs)
            )
            raise Fault("SD511", f"returned the components {found}, and {wanted} is declared")
        return [settled(several[name], name, tensor) for name, tensor in self.outputs.items()]


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


def _kind(made: Any) -> str:
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
        raise _other(_kind(array) if tensor.dtype != "string" else f"string{list(array.shape)}", name, tensor)
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
        raise Fault("SD511", f"returned {_kind(odd)} for `{name}`, and text is declared")
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
            raise _other(_kind(array), name, tensor)
        return array
    try:
        array = np.asarray(made)
    except (ValueError, OverflowError):  # lists that are no rectangle
        raise _other(_kind(made), name, tensor) from None
    wanted = np.dtype(tensor.dtype)  # TensorFlow has made `bfloat16` known to NumPy
    kind = "f" if tensor.dtype == "bfloat16" else wanted.kind
    if kind not in _KINDS.get(array.dtype.kind, "") and array.size:
        raise _other(_kind(made) if array.dtype.kind in "OUSMm" else _kind(array), name, tensor)
    with np.errstate(all="ignore"):
        cast_array = array.astype(wanted)
    if kind in "biu" and (cast_array != array).any():
        raise _other(f"{array.min()}..{array.max()}", name, tensor)
    return cast_array
