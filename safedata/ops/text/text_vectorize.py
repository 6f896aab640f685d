"""`text_vectorize`: a text as the numbers of its words, in one go."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, PositiveInt, PrivateAttr, ValidationInfo, model_validator
from typing_extensions import Self

from safedata.lowering import Call
from safedata.memory import add
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
    at 2; as `multi_hot` and `count` the result is a float32 for each word of the list, behind one for all unknown
    words. It takes one text, before `batch`.
    """

    example: ClassVar[str] = "{text_vectorize: {vocab: [the, cat, ran], output_sequence_length: 8}}"
    batches: ClassVar[bool] = False

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
    output_mode: Literal["int", "multi_hot", "count"] = "int"
    """Numbers of words in their order, or for each word of the list whether or how often it is there."""
    output_sequence_length: PositiveInt | None = None
    """For `int`: the number of words, by leaving the last ones out or filling up with 0."""

    _lookup: VocabLookup = PrivateAttr()

    @model_validator(mode="after")
    def _sound(self, info: ValidationInfo) -> Self:
        numbers = self.output_mode == "int"
        if not numbers and self.output_sequence_length is not None:
            raise ValueError(f"`output_mode: {self.output_mode}` takes no `output_sequence_length`")
        given = {"vocab": self.vocab, "artifact": self.artifact, "path": self.path}
        fields = {**given, "mask_token": "" if numbers else None}
        self._lookup = VocabLookup.model_validate(fields, context=info.context)
        return self

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
        high = 1 if self.output_mode == "multi_hot" else most
        values = None if high is None else ValueRange(0, high)
        return Tensor("float32", (Dim.exactly(self._depth),), range=values)

    @property
    def _depth(self) -> int:
        """How many numbers there are."""
        found = self._lookup.infer(Tensor("string")).range
        assert found is not None
        return int(found.high) + 1

    def _words(self, x: Tensor) -> Tensor:
        """Return the type of the words of a text of type `x`."""
        length = x.length
        if self.split == "character":
            return Tensor("string", (blank(length),), Dim.at_most(4))
        count = length if length.most is None else Dim.at_most((length.most + 1) // 2, length.evidence)
        return Tensor("string", (count,), blank(length))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the standardized text, of its words and their places, and of looking them up."""
        words = self._words(x)
        most, count = x.length.most, words.shape[0].most
        if most is None or count is None:
            return None
        text = 3 * (most + STRING_HEAP) + STRING_HEAP * (most // 23) + count * (STRING_SLOT + 96)
        return add(text, self._lookup.workspace(words, Tensor("int64", words.shape)), 3 * (y.bytes or 0))

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
        inner = self._words(call.x)
        numbers = self._lookup.lower(words, call.typed(inner, self._lookup.infer(inner)))
        return tf.ensure_shape(self._formed(tf, numbers), call.y.static_shape)

    def _formed(self, tf: Any, numbers: Any) -> Any:
        length = self.output_sequence_length
        if self.output_mode == "int":
            if length is None:
                return numbers
            kept = numbers[:length]
            return tf.pad(kept, [[0, length - tf.size(kept)]])
        made = tf.math.unsorted_segment_sum(tf.ones_like(numbers, tf.float32), numbers, self._depth)
        return tf.minimum(made, 1.0) if self.output_mode == "multi_hot" else made
