"""A function of Python's that yields the elements of a source: started anew in each epoch, closed with its iterator."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Final

from safedata.cardinality import Cardinality
from safedata.external.callee import Callee
from safedata.external.running import components, kind_of, refused, settled, told
from safedata.external.timed import LateError, Places
from safedata.problem import Fault

_END: Final = object()
"""What no function yields: there is no element any more."""


class Feed:
    """Starts a function's iterator for an epoch, and hands on its elements once they are found to be as declared."""

    def __init__(self, callee: Callee, cardinality: Cardinality) -> None:
        """Take a function.

        Args:
            callee: returns an iterable of elements, and takes the epoch's `seed` where it is seeded.
            cardinality: how many elements an epoch has.
        """
        self.callee = callee
        self.cardinality = cardinality

    def __call__(self, seed: Any = 0) -> Generator[dict[str, Any], None, None]:
        """Yield the elements of one epoch; the function's iterator is closed when this one is, or ends.

        Args:
            seed: the epoch's, where the function takes one.

        Raises:
            CallFailedError: SD511, an element, or their number, is not as declared; SD512, the function raised; SD251,
                its time for an element is up.
        """
        epoch = _Epoch(self.callee.timeout_s)
        number = 0
        try:
            epoch.source = self._asked(lambda: self._started(seed), epoch, 0)
            while (one := self._next(epoch, number)) is not None:
                yield one
                number += 1
        finally:
            if not epoch.late:
                epoch.close()

    def place(self, number: int) -> str:
        """Return what messages call the element with this number."""
        return f"element {number} of the source"

    def _asked(self, what: Callable[[], Any], epoch: _Epoch, number: int) -> Any:
        """Return what the function's own code gives; an iterator that is late is closed once it has answered."""
        try:
            return epoch.places.run(what, epoch.close)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # `sys.exit` would end the process
            epoch.late = isinstance(error, LateError)
            failed = told(error, self.callee.name, self.place(number))
            raise failed from (None if isinstance(error, Fault) else error)

    def _started(self, seed: Any) -> Iterator[Any]:
        made = self.callee(**({"seed": int(seed)} if self.callee.seeded else {}))
        if isinstance(made, (str, bytes, Mapping)) or not hasattr(made, "__iter__"):
            raise Fault("SD511", f"returned {kind_of(made)}, and an iterable of elements is declared")
        return iter(made)

    def _next(self, epoch: _Epoch, number: int) -> dict[str, Any] | None:
        """Return the next element, None behind the last one."""
        made = self._asked(lambda: next(epoch.source, _END), epoch, number)
        if made is _END:
            self._check_end(number)
            return None
        try:
            return self._settled(made, number)
        except Fault as fault:
            raise refused(fault, self.callee.name, self.place(number)) from None

    def _settled(self, made: Any, number: int) -> dict[str, Any]:
        most = self.cardinality.most
        if most is not None and number >= most:
            raise Fault("SD511", f"made more than {most} elements, and `cardinality` says {self.cardinality}")
        outputs = self.callee.outputs
        several = components(made, outputs)
        return {name: settled(several[name], name, tensor) for name, tensor in outputs.items()}

    def _check_end(self, number: int) -> None:
        """Raise where fewer elements came than are declared."""
        short = self.cardinality.kind == "exactly" and number != self.cardinality.count
        if short or self.cardinality.kind == "infinite":
            fault = Fault("SD511", f"made {number} elements, and `cardinality` says {self.cardinality}")
            raise refused(fault, self.callee.name, "the source")


class _Epoch:
    """The iterator of one epoch."""

    def __init__(self, seconds: float | None) -> None:
        self.places = Places(1, seconds)
        """Its own, since other epochs may run beside."""
        self.source: Iterator[Any] = iter(())
        self.late = False
        """Whether it still works on an element that nobody waits for, and cannot be closed before it has."""

    def close(self) -> None:
        """Close it, where it can be closed."""
        close = getattr(self.source, "close", None)
        if close is not None:
            close()
