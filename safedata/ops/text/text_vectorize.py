"""`text_vectorize`: a text as the numbers of its words, in one go."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, FiniteFloat, PositiveInt, PrivateAttr, ValidationInfo, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops.base import Op
from safedata.ops.text._text import blank
from safedata.ops.text.vocab_lookup import VocabLookup
from safedata.problem import Fault
from safedata.types import STRING_HEAP, STRING_SLOT, Dim, Tensor, ValueRange

_PUNCTUATION: Final = r"""[!"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~']"""


class TextVectorize(Op):
    r"""Turn a text into the numbers of its words, or into a vector that says which words it has.

    As `keras.layers.TextVectorization` with the same vocabulary: the text is standardized and split, and its words are
    looked up. As `int` number 0 fills up to `output_sequence_length`, 1 stands for unknown words, and the list starts
    at 2; as `multi_hot`, `count` and `tf_idf` the result is a float32 for each word of the list, behind one for all
    unknown words. Of a batch of texts numbers without `output_sequence_length` are ragged rows.
    """

    example: ClassVar[str] = "{text_vectorize: {vocab: [the, cat, ran], output_sequence_length: 8}}"

    vocab: Annotated[tuple[str, ...], Field(strict=False, min_length=1)] | None = None
    """The words, in the order of their numbers."""
    artifact: str | None = None
    """The vocabulary that `safedata analyze` made, in place of `vocab`; of words standardized in the same way."""
    path: str | None = None
    """A file with one word in each line, relative to the spec, in place of `vocab`."""
    standardize: Literal["lower_and_strip_punctuation", "lower", "strip_punctuation", "none"] = (
        "lower_and_strip_punctuation"
    )
    """What is done before the text is split: letters of ASCII in lower case, punctuation of ASCII taken away."""
    split: Literal["whitespace", "character"] = "whitespace"
    """Into what the text is split."""
    ngrams: PositiveInt | Annotated[tuple[PositiveInt, ...], Field(strict=False, min_length=1)] | None = None
    """How many neighbouring words, joined by a blank, are looked up together: 2 for single words and pairs, [2] for
    pairs alone."""
    output_mode: Literal["int", "multi_hot", "count", "tf_idf"] = "int"
    """Numbers of words in their order, or for each word of the list whether or how often it is there, or how often
    times its weight."""
    idf_weights: Annotated[tuple[FiniteFloat, ...], Field(strict=False, min_length=1)] | None = None
    """For `tf_idf`: the weight of each word of the list, its inverse document frequency; others have the mean."""
    output_sequence_length: PositiveInt | None = None
    """For `int`: the number of words, by leaving the last ones out or filling up with 0."""

    _lookup: VocabLookup = PrivateAttr()

    @model_validator(mode="after")
    def _sound(self, info: ValidationInfo) -> Self:
        numbers = self.output_mode == "int"
        if not numbers and self.output_sequence_length is not None:
            raise ValueError(f"`output_mode: {self.output_mode}` takes no `output_sequence_length`")
        if (self.output_mode == "tf_idf") != (self.idf_weights is not None):
            raise ValueError("`output_mode: tf_idf` and `idf_weights` go together")
        given = {"vocab": self.vocab, "artifact": self.artifact, "path": self.path}
        fields = {**given, "mask_token": "" if numbers else None}
        self._lookup = VocabLookup.model_validate(fields, context=info.context)
        if self.idf_weights is not None and len(self.idf_weights) != self._depth - 1:
            found = len(self.idf_weights)
            raise ValueError(f"there are {found} weights for {self._depth - 1} words: give one for each")
        return self

    @property
    def rows(self) -> bool:
        """Whether texts have as many numbers as they have words."""
        return self.output_mode == "int" and self.output_sequence_length is None

    @property
    def _widths(self) -> tuple[int, ...]:
        """How many words are looked up together."""
        if self.ngrams is None:
            return (1,)
        return tuple(range(1, self.ngrams + 1)) if isinstance(self.ngrams, int) else self.ngrams

    def infer(self, x: Tensor) -> Tensor:
        """Return a vector of numbers of words, or one of the list's size."""
        self.require(x, "string")
        if x.rank:
            raise Fault("SD203", f"`text_vectorize` takes one text, not {x}", help="put `join` before it")
        found = self._lookup.infer(self._words(x))
        if self.output_mode == "int":
            length = self.output_sequence_length
            return found if length is None else Tensor("int64", (Dim.exactly(length),), range=found.range)
        most = self._words(x).shape[0].most
        values = None if most is None else ValueRange(0, 1 if self.output_mode == "multi_hot" else most)
        if most is not None and self.idf_weights is not None:
            ends = (0.0, *(most * weight for weight in self._weights))
            values = ValueRange(min(ends), max(ends))
        return Tensor("float32", (Dim.exactly(self._depth),), range=values)

    @property
    def _weights(self) -> tuple[float, ...]:
        """The weight of unknown words, then those of the list."""
        given = self.idf_weights or ()
        return (sum(given) / len(given), *given)

    @property
    def _depth(self) -> int:
        """How many numbers there are."""
        found = self._lookup.infer(Tensor("string")).range
        assert found is not None
        return int(found.high) + 1

    def _words(self, x: Tensor) -> Tensor:
        """Return the type of what is looked up of a text of type `x`."""
        single = self._single(x)
        count, length = single.shape[0], single.length
        if self.ngrams is None or count.most is None or length.most is None:
            return single
        total = sum(max(0, count.most - width + 1) for width in self._widths)
        longest = (
            length.most
        )  # what is joined by blanks stood in the text, with one between two words at least
        if self.split == "character":
            longest = max(width * (length.most + 1) - 1 for width in self._widths)
        return Tensor("string", (Dim.at_most(total, count.evidence),), Dim.at_most(longest, length.evidence))

    def _single(self, x: Tensor) -> Tensor:
        """Return the type of the words, or characters, of a text of type `x`."""
        length = x.length
        if self.split == "character":
            return Tensor("string", (blank(length),), Dim.at_most(4))
        count = length if length.most is None else Dim.at_most((length.most + 1) // 2, length.evidence)
        return Tensor("string", (count,), blank(length))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the standardized text, of its words and their places, and of looking them up."""
        words, single = self._words(x), self._single(x)
        most, count = x.length.most, single.shape[0].most
        if most is None or count is None:
            return None
        text = 3 * (most + STRING_HEAP) + STRING_HEAP * (most // 23) + count * (STRING_SLOT + 96)
        joined = times(2, words.bytes) if self.ngrams is not None else 0
        looked_up = self._lookup.workspace(words, Tensor("int64", words.shape))
        return add(text, joined, looked_up, times(3, y.bytes), 4 * self._depth)

    def resident(self) -> int | None:
        """Return the bytes of the tensors that the words of a file become."""
        return self._lookup.resident()

    def lower(self, x: Any, call: Call) -> Any:
        """Return the numbers of the words of `x`."""
        tf = call.tf
        if self.standardize in ("lower", "lower_and_strip_punctuation"):
            x = tf.strings.lower(x)
        if self.standardize in ("strip_punctuation", "lower_and_strip_punctuation"):
            x = tf.strings.regex_replace(x, _PUNCTUATION, "")
        words = tf.strings.split(x) if self.split == "whitespace" else tf.strings.unicode_split(x, "UTF-8")
        if self.ngrams is not None:
            words = tf.strings.ngrams(words, self._widths, separator=" ")
        inner = self._words(call.x)
        numbers = self._lookup.lower(words, call.typed(inner, self._lookup.infer(inner)))
        made = self._formed(tf, numbers)
        if self.rows and call.batch_dims:
            return made
        return tf.ensure_shape(made, (*x.shape, *call.y.static_shape))

    def _formed(self, tf: Any, numbers: Any) -> Any:
        length, batched = self.output_sequence_length, isinstance(numbers, tf.RaggedTensor)
        if self.rows:
            return numbers
        if self.output_mode == "int":
            if batched:
                return numbers.to_tensor(shape=[*[None] * (numbers.shape.rank - 1), length])
            kept = numbers[:length]
            return tf.pad(kept, [[0, length - tf.size(kept)]])
        made = self._counted(tf, numbers) if batched else self._counted_once(tf, numbers, 1)[0]
        if self.output_mode == "multi_hot":
            return tf.minimum(made, 1.0)
        return made if self.idf_weights is None else made * tf.constant(self._weights, tf.float32)

    def _counted(self, tf: Any, numbers: Any) -> Any:
        """Return how often each number stands in each row."""
        if numbers.ragged_rank > 1:
            return numbers.with_values(self._counted(tf, numbers.values)).to_tensor()
        row = numbers.value_rowids()
        return self._counted_once(tf, numbers.values + row * self._depth, numbers.nrows())

    def _counted_once(self, tf: Any, places: Any, rows: Any) -> Any:
        """Return how often each number stands in each of so many rows, whose numbers follow one another."""
        ones = tf.ones_like(places, tf.float32)
        made = tf.math.unsorted_segment_sum(ones, places, rows * self._depth)
        return tf.reshape(made, [-1, self._depth])
