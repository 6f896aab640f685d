"""What a source must tell about itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

from safedata.lowering import Lowering
from safedata.memory import Hold
from safedata.records import record
from safedata.scope import Scope
from safedata.stages.base import ElementNode
from safedata.types import Strata, Stream

if TYPE_CHECKING:
    from safedata.sources._inputs import Ready
    from safedata.sources._shelf import Work


class Root:
    """The first step of a plan: it makes elements out of what an inspection found."""

    in_turn: ClassVar[bool] = False
    """Whether it is a combinator whose inputs run one after the other."""
    by_reader: ClassVar[bool] = False
    """Whether a reader of TensorFlow's makes its elements, in the thread that asks for them."""
    seeks: ClassVar[bool] = False
    """Whether it starts with any of its elements, `low.first`, without reading those before it."""
    code: ClassVar[int] = 0
    """Bytes among its holds that are pages of a package's own, which no allocator adds to."""

    @property
    def slices(self) -> bool:
        """Whether the thread that asks cuts its elements out of tensors, so that they lie one behind the other."""
        return False

    @abstractmethod
    def title(self) -> str:
        """Return the name that reports give this step."""

    def parts(self) -> tuple[Ready, ...]:
        """Return the inputs that its elements come from; none but for a combinator."""
        return ()

    def wanted(self, number: int, after: frozenset[str]) -> frozenset[str]:
        """Return the components that input `number` must give for those in `after` to leave."""
        return after

    def index_of(self, number: int, index: Any) -> Any:
        """Return the index that the element of input `number` with this index has behind the combinator."""
        return index

    def apart(self, after: Stream) -> frozenset[str]:
        """Return the components that leave in buffers of its own, which TensorFlow takes over as they are."""
        return frozenset()

    def scratch(self, after: Stream, scope: Scope) -> int | None:
        """Return a bound on the bytes of `malloc`'s blocks that making an element leaves in its thread's arena."""
        return 0

    def strata(self, after: Stream) -> Strata:
        """Return how many of its elements are of which size, as far as that is known."""
        return after.strata

    def freed(self, after: Stream) -> Sequence[int]:
        """Return the bytes of numeric tensors that making an element takes and does not hand on."""
        return ()

    @abstractmethod
    def infer(self, scope: Scope) -> Stream:
        """Return the type of its elements; reads no file."""

    @abstractmethod
    def holds(self, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield what it keeps alive at its peak, in bytes."""

    @abstractmethod
    def lower(self, low: Lowering) -> Any:
        """Return the `tf.data.Dataset` of its elements, a dict of components each.

        A combinator finds those of its inputs in `low.inputs`.
        """

    def numbered(self) -> Root | None:
        """Return the same source with each element's index as the component `#index`; None where it cannot.

        Elements of a source that cannot are counted as they leave it, by a step of its own.
        """
        return None

    def keep(self, names: frozenset[str]) -> Root:
        """Return the same source with no other components than these (and fewer if that costs nothing)."""
        return self

    def origin(self, tf: Any, index: Any) -> Any:
        """Return a scalar string tensor that says where the element with this index comes from."""
        return tf.strings.join([self.title() + " element ", tf.strings.as_string(index)])

    def diagnose(self, message: str) -> str | None:
        """Return the file, and the offset in it, that an error of TensorFlow's readers speaks of.

        None where the message names no place, or none of the source's files is found to be damaged there.
        """
        return None

    def describe(self, index: int) -> str:
        """Return where the element with this index comes from: a file, with row or record and offset."""
        return f"{self.title()} element {index}"

    def located(self, index: int) -> dict[str, Any]:
        """Return the same in parts, as far as known: what a line of the report of `quarantine` says of the place.

        Returns:
            `file`, and in it the number of the `record`, of the `row`, or of the `line`, and the `byte` where it
            starts; `manifest`, whose `row` names the file; `input` of a combinator; `source` where no file is known.
        """
        return {"source": self.describe(index)}

    def reason(self, index: int, message: str) -> str | None:
        """Return why the element with this index could not be read, where the source knows better than a message."""
        return None


@record(frozen=True)
class Inspected:
    """What reading the headers of a source's data has found."""

    root: Root
    then: tuple[ElementNode, ...] = ()
    """Steps that finish an element and may run later: reading a file, parsing a record."""
    fingerprint: str = ""
    """A digest of the names, sizes and times of every file read."""
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """Facts that a verdict should mention: how many files were sampled, say."""
    declare: str = ""
    """What the spec may say in place of each bound that rests on a sample: `max_bytes: 90 B` of the feature `text`."""


class Source(BaseModel):
    """A source that a spec can name: its fields are the language, its docstring the reference page."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)

    example: ClassVar[str]
    """A source as YAML."""
    main: ClassVar[str | None] = None
    """The field that the short form fills: `range: 10` is `range: {count: 10}`."""
    combines: ClassVar[bool] = False
    """Whether its elements come from other sources, which stand in its `inputs`."""
    python: ClassVar[bool] = False
    """Whether its graph calls functions of Python's, which only the process that made it has."""
    revision: ClassVar[int] = 1
    """A number that is part of the key of caches on disk: another one once the same source makes other elements."""

    @abstractmethod
    def inspect(self, scope: Scope) -> Inspected:
        """Return what the data's headers say; the only place where a check reads data.

        Raises:
            Fault: the data is missing, unreadable or not what the spec says.
        """

    def to_measure(self, scope: Scope) -> tuple[Work, ...]:
        """Return what `safedata measure` has to read so that no bound rests on a sample; nothing unless said.

        Raises:
            Fault: the data is missing or unreadable.
        """
        return ()

    @classmethod
    def key(cls) -> str:
        """Return the name that specs use, the module's own."""
        return cls.__module__.rpartition(".")[2]
