"""An iteration that can tell how far it is, and go on from there in another process."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from safedata.compile import Compiled, run_error, tensorflow
from safedata.plan import Plan
from safedata.problem import ClosedError, Problem, StateError
from safedata.resume import state as states
from safedata.resume.lowered import Rest, changing, laziness, resumed, unknown
from safedata.resume.route import Place, Route, route


class Iteration:
    """The elements of a pipeline, epoch after epoch, from any place on; `state()` is the place.

    A `for` hands on the rest of the epoch that it is in; behind its end the next `for` is the next epoch. They are the
    elements that `pipeline.dataset` gives in a new process, one epoch after the other.
    """

    def __init__(
        self, plan: Plan, make: Callable[[], Compiled], state: Mapping[str, Any] | None = None
    ) -> None:
        """Start at the first element of the first epoch, or where a state says.

        Args:
            plan: a checked plan.
            make: returns the plan compiled, which nobody else goes through.
            state: what `state()` returned, here or in another process.

        Raises:
            StateError: SD546 or SD547, it is no state of this pipeline; SD548, it cannot be gone on with.
        """
        self._plan = plan
        self._make: Callable[[], Compiled] | None = make
        self._place = Place()
        self._dataset: Any = None
        self._rest: Rest | None = None
        """What is left of this epoch, where it is not all of it."""
        self._iterator: Any = None
        compiled = make()
        self._take(compiled)
        if state is not None:
            self._go_on(state, compiled)

    def _take(self, compiled: Compiled) -> None:
        self._dataset = compiled.dataset
        self._runs = compiled.lower.plan
        """What runs: from the last cache on disk on."""
        self._mixed_in = compiled.lower.mixed_in
        self._changing = changing(compiled)
        self._laziness = laziness(tensorflow())

    @property
    def epoch(self) -> int:
        """How many epochs were gone through to their end."""
        return self._place.epoch

    @property
    def elements(self) -> int:
        """How many elements of this epoch were handed on; batches, where these leave."""
        return self._place.elements

    def __iter__(self) -> Iterator[Any]:
        """Hand on the rest of this epoch.

        Raises:
            ClosedError: SD509, the pipeline was left.
            DataError: an element cannot be made; the message says which, as far as that can be found.
        """
        errors = tensorflow().errors.OpError
        while True:
            try:
                element = next(self._open())
            except StopIteration:
                self._end()
                return
            # TensorFlow quotes the bytes of a bad record, and then its own message cannot be read as text.
            except (errors, UnicodeDecodeError) as error:
                raise run_error(error, self._plan) from error
            self._place = Place(self.epoch, self.elements + 1)
            yield element

    def _end(self) -> None:
        begun = () if self._rest is None else self._rest.begun
        self._iterator = self._rest = None
        for dataset in begun:
            iter(dataset)
        self._place = Place(self.epoch + 1)

    def _open(self) -> Any:
        """Return TensorFlow's iterator over the rest of this epoch."""
        self._refuse_left()
        if self._iterator is None:
            self._iterator = iter(self._dataset if self._rest is None else self._rest.dataset)
        return self._iterator

    def state(self) -> dict[str, Any]:
        """Return the place where it is: numbers and digests that JSON can write, some hundred bytes.

        Raises:
            StateError: SD548, no other process could go on from here.
        """
        self._route(self._place)
        return states.written(self._plan, self._place, self._mixed_in)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where a state says.

        Raises:
            ClosedError: SD509, the pipeline was left.
            StateError: SD546 or SD547, it is no state of this pipeline; SD548, it cannot be gone on with.
        """
        self._refuse_left()
        states.read(state, self._plan, self._mixed_in)
        self._iterator = self._rest = self._dataset = None
        assert self._make is not None
        compiled = self._make()
        self._take(compiled)
        self._go_on(state, compiled)

    def _go_on(self, state: Mapping[str, Any], compiled: Compiled) -> None:
        place = states.read(state, self._plan, self._mixed_in)
        self._rest = resumed(tensorflow(), self._route(place), compiled)
        self._place = place

    @property
    def trackable(self) -> Any:
        """The same for `tf.train.Checkpoint`, which saves and restores its state in some hundred bytes.

        `tf.train.Checkpoint(model=model, data=iteration.trackable)` has both in one file.
        """
        return _trackable(self)

    def close(self) -> None:
        """Let go of all that TensorFlow holds; what `state()` says stays."""
        self._iterator = self._rest = self._dataset = self._make = None

    def _refuse_left(self) -> None:
        if self._make is None:
            message = "the pipeline that is iterated over was left, and its dataset is gone"
            raise ClosedError([Problem("SD509", message, help="iterate inside the `with` block")])

    def _route(self, place: Place) -> Route:
        """Return how a pass goes on at a place.

        Raises:
            StateError: SD548, it cannot.
        """
        if not self._plan.program.runtime.deterministic:
            message = "with `runtime.deterministic: false` no two passes have one order, so none can be gone on with"
            raise StateError([Problem("SD548", message, help="remove `deterministic: false`")])
        if any(getattr(step.node, "remote", False) for step in self._plan.steps):
            message = "elements of `distribute` come in no fixed order, so no pass can be gone on with"
            raise StateError(
                [Problem("SD548", message, help="remove `distribute`, or begin the epoch again")]
            )
        way = route(self._runs, place, self._laziness)
        found = unknown(way, self._changing)
        if found:
            steps = [self._runs.steps[number] for number in found]
            said = next((step.title for step in steps if step.path is not None), None)
            raise _untold("random operations" if said is None else f"`{said}`")
        return way


_COUNT_ON: Final = (
    "leave out the `take` or the short input that ends the epoch, and count elements in the loop: a state counts on "
    "through an endless `repeat`"
)


def _untold(title: str) -> StateError:
    message = (
        "an epoch of this pipeline may end while steps before its end could go on, so that nobody knows what "
        f"{title} will make of the next one"
    )
    return StateError([Problem("SD548", message, help=_COUNT_ON)])


def _trackable(iteration: Iteration) -> Any:
    def serialize(_: object) -> str:
        return json.dumps(iteration.state())

    def deserialize(_: object, text: str) -> None:
        iteration.restore(json.loads(text))

    base: Any = tensorflow().train.experimental.PythonState
    return type("IterationState", (base,), {"serialize": serialize, "deserialize": deserialize})()
