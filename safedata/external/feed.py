"""A function of Python's that yields the elements of a source: started anew in each epoch, closed with its iterator."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any

from safedata.cardinality import Cardinality
from safedata.external.running import components, kind_of, raised, refused, settled
from safedata.problem import Fault
from safedata.types import Tensor


class Feed:
    """Starts a function's iterator for an epoch, and hands on its elements once they are found to be as declared."""

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        outputs: Mapping[str, Tensor],
        cardinality: Cardinality,
        *,
        seeded: bool,
    ) -> None:
        """Take a function and what it is declared to make.

        Args:
            function: returns an iterable of elements, and takes a `seed` where it is seeded.
            name: what messages call it.
            outputs: the type of each component of an element.
            cardinality: how many elements an epoch has.
            seeded: whether it is called with the epoch's seed.
        """
        self.function = function
        self.name = name
        self.outputs = outputs
        self.cardinality = cardinality
        self.seeded = seeded

    def __call__(self, seed: Any = 0) -> Generator[dict[str, Any], None, None]:
        """Yield the elements of one epoch; the function's iterator is closed when this one is, or ends.

        Args:
            seed: the epoch's, where the function takes one.

        Raises:
            CallFailedError: SD511, an element, or their number, is not as declared; SD512, the function raised.
        """
        source: Iterator[Any] | None = None
        number = 0
        try:
            source = self._started(seed)
            while True:
                one = self._next(source, number)
                if one is None:
                    return
                yield one
                number += 1
        finally:
            close = getattr(source, "close", None)
            if close is not None:
                close()

    def place(self, number: int) -> str:
        """Return what messages call the element with this number."""
        return f"element {number} of the source"

    def _started(self, seed: Any) -> Iterator[Any]:
        named = {"seed": int(seed)} if self.seeded else {}
        try:
            made = self.function(**named)
            if isinstance(made, (str, bytes, Mapping)) or not hasattr(made, "__iter__"):
                raise Fault("SD511", f"returned {kind_of(made)}, and an iterable of elements is declared")
            return iter(made)
        except KeyboardInterrupt:
            raise
        except Fault as fault:
            raise refused(fault, self.name, self.place(0)) from None
        except BaseException as error:
            raise raised(error, self.name, self.place(0)) from error

    def _next(self, source: Iterator[Any], number: int) -> dict[str, Any] | None:
        """Return the next element, None behind the last one."""
        try:
            made = next(source)
        except StopIteration:
            made = self  # which no function yields: the end
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # `sys.exit` would end the process
            raise raised(error, self.name, self.place(number)) from error
        if made is self:
            self._check_end(number)
            return None
        try:
            return self._settled(made, number)
        except Fault as fault:
            raise refused(fault, self.name, self.place(number)) from None

    def _settled(self, made: Any, number: int) -> dict[str, Any]:
        most = self.cardinality.most
        if most is not None and number >= most:
            raise Fault("SD511", f"made more than {most} elements, and `cardinality` says {self.cardinality}")
        several = components(made, self.outputs)
        return {name: settled(several[name], name, tensor) for name, tensor in self.outputs.items()}

    def _check_end(self, number: int) -> None:
        """Raise where fewer elements came than are declared."""
        short = self.cardinality.kind == "exactly" and number != self.cardinality.count
        if short or self.cardinality.kind == "infinite":
            fault = Fault("SD511", f"made {number} elements, and `cardinality` says {self.cardinality}")
            raise refused(fault, self.name, "the source")
