"""`mix`: elements of several sources, each drawn from one of them by weight."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, model_validator
from typing_extensions import Self

from safedata.cardinality import INFINITE, UNKNOWN, Cardinality
from safedata.lowering import Lowering
from safedata.problem import Fault, did_you_mean
from safedata.records import record
from safedata.scope import Scope
from safedata.sources._inputs import Combinator, Ready, handed
from safedata.sources.combined._alike import Alike
from safedata.sources.combined.concatenate import total
from safedata.stages._stacking import counted

Weight = Annotated[float, Field(gt=0, allow_inf_nan=False, strict=False)]

_SEED_BITS: Final = 0x7FFFFFFF


class Mix(Combinator):
    """Elements of several inputs, the next one always from an input that is drawn by weight.

    The inputs have the same components, of the same dtypes and ranks. Each input keeps its own order, so shuffle
    inside the inputs, or behind the mix. The draws are the same in every run with the same seed, and others in each
    epoch. An input that has ended is drawn no more, and the others go on in the proportion of their weights, until all
    have ended, or until the first has with `stop_on_empty`. To weigh small inputs more than once, `repeat` them.

    With a `pattern` nothing is drawn: the first element is of the first input that it names, and so on, and behind
    the last it starts again, as with `choose_from_datasets`. An input that has ended is passed over.
    """

    example: ClassVar[str] = (
        "mix: {inputs: {few: {range: 10}, many: {range: 100}}, weights: {few: 0.3, many: 0.7}}"
    )

    weights: dict[str, Weight] | Annotated[tuple[Weight, ...], Field(strict=False)] | None = None
    """A number above 0 for each input, by name, or a list in the inputs' order; all alike unless said."""
    stop_on_empty: bool = False
    """End with the first input that has ended, so that the proportions hold to the end."""
    seed: int | None = None
    """The draws' own seed; made from `runtime.seed` when it is left out."""
    pattern: Annotated[tuple[str | int, ...], Field(strict=False, min_length=1, max_length=4096)] | None = (
        None
    )
    """The inputs of one element after the other, by name, in place of draws: `[photos, photos, drawings]`."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        other = "weights" if self.weights is not None else "seed" if self.seed is not None else None
        if self.pattern is not None and other is not None:
            raise ValueError(f"give one of `pattern` and `{other}`: with a pattern nothing is drawn")
        return self

    def joint(self, inputs: tuple[Ready, ...], scope: Scope) -> Mixed:
        """Return the root over inputs whose headers were read.

        Raises:
            Fault: SD103, SD104 or SD105, the weights are not one for each input; SD105 or SD225, the pattern names an
                input that there is not, or not all that there are.
        """
        if self.pattern is not None:
            from safedata.sources.combined._turns import Turns  # few mixes have a pattern

            return Turns(inputs, None, self.stop_on_empty, None, self._places(self.pattern))
        return Mixed(inputs, self._weights(), self.stop_on_empty, self.seed)

    def _places(self, pattern: tuple[str | int, ...]) -> tuple[int, ...]:
        """Return the number of the input at each place of the pattern."""
        numbers = {name: number for number, name in enumerate(self.inputs)}
        named = [str(one) for one in pattern]
        for place, name in enumerate(named):
            if name not in numbers:
                known = did_you_mean(name, self.inputs, what="inputs")
                raise Fault("SD105", f"there is no input `{name}` to take", ("pattern", place), help=known)
        never = next((name for name in self.inputs if name not in named), None)
        if never is not None:
            problem = f"`pattern` never takes the input `{never}`"
            raise Fault("SD225", problem, ("pattern",), help=f"name `{never}` in it, or remove the input")
        return tuple(numbers[name] for name in named)

    def _weights(self) -> tuple[float, ...] | None:
        given = self.weights
        if given is None:
            return None
        if isinstance(given, tuple):
            if len(given) == len(self.inputs):
                return given
            message = f"there are {len(given)} weights for {len(self.inputs)} inputs"
            raise Fault("SD105", message, ("weights",), help="give each input one, in their order")
        for name in given:
            if name not in self.inputs:
                known = did_you_mean(name, self.inputs, what="inputs")
                raise Fault("SD103", f"there is no input `{name}` to weigh", ("weights", name), help=known)
        missing = [name for name in self.inputs if name not in given]
        if missing:
            message = f"`weights` has none for `{missing[0]}`"
            raise Fault("SD104", message, ("weights",), help=f"add `{missing[0]}: ...`, or leave all out")
        return tuple(given[name] for name in self.inputs)


@record(frozen=True)
class Mixed(Alike):
    """Elements of inputs that are drawn by weight."""

    draws: ClassVar[bool] = True
    """Whether the order of the inputs is another one in each epoch."""

    weights: tuple[float, ...] | None
    stop_on_empty: bool
    seed: int | None

    def title(self) -> str:
        """Return the source's name."""
        return "mix"

    def count(self, counts: tuple[Cardinality, ...]) -> Cardinality:
        """Return the sum; where the mix ends with its first input, no more than that."""
        if not self.stop_on_empty or len(counts) == 1:
            return total(counts)
        if all(one.kind == "infinite" for one in counts):
            return INFINITE
        return UNKNOWN if any(one.count is None for one in counts) else total(counts).weakened()

    def lower(self, low: Lowering) -> Any:
        """Return the datasets sampled by weight, the seed written out; every epoch draws anew."""
        tf, names, of = low.tf, list(low.after.element), len(low.inputs)
        datasets = [handed(data, names, low, number, of) for number, data in enumerate(low.inputs)]
        mixed = tf.data.Dataset.sample_from_datasets(
            datasets,
            weights=None if self.weights is None else list(self.weights),
            seed=(low.seed if self.seed is None else self.seed) & _SEED_BITS,
            stop_on_empty_dataset=self.stop_on_empty,
            rerandomize_each_iteration=True,
        )
        if of > 1:
            low.renews(getattr(mixed, "_selector_input", None))  # what draws the inputs' numbers
        return counted(tf, mixed, low.after.cardinality)
