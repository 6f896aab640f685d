"""`vocab_lookup`: words as their numbers in a list, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, ClassVar, Final

from pydantic import Field, NonNegativeInt, PrivateAttr, StrictInt, StrictStr, ValidationInfo, model_validator
from typing_extensions import Self

from safedata.artifacts import lookup
from safedata.artifacts.shelf import artifacts_of
from safedata.artifacts.words import Words
from safedata.insist import Check, first_bad, insist
from safedata.lowering import Call
from safedata.memory import add, times
from safedata.ops._ragged import each
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import STRING_HEAP, STRING_SLOT, UNBOUNDED, Dim, Tensor, ValueRange

Word = StrictInt | StrictStr

_TAKEN: Final = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")
_COPIES: Final = 4
"""How often a list lies in memory: in the graph, in its copy that was optimised, and as a tensor of each."""


class VocabLookup(Op):
    """Turn each word into its number in `vocab`, or with `invert` each number into its word.

    The numbers are those of `keras.layers.StringLookup`, and of `IntegerLookup` for a list of whole numbers: first
    0 for `mask_token` if there is one, then `num_oov_indices` numbers for words that are not in the list, then the
    list in its order. With several such numbers a word's hash says which; with 0 of them a word that is
    not in the list is an error (SD404 at run time). Any shape, ragged too; the result is int64.

    `artifact` and `path` take the list from a file, with one word in each line: it lies in memory once.
    """

    example: ClassVar[str] = "{vocab_lookup: [cat, dog, tulip]}"
    main: ClassVar[str | None] = "vocab"
    fallible: ClassVar[bool] = True
    ragged: ClassVar[bool] = True

    vocab: Annotated[tuple[Word, ...], Field(strict=False, min_length=1)] | None = None
    """The words, or whole numbers, in the order of their numbers."""
    artifact: str | None = None
    """The vocabulary, or class list, that `safedata analyze` made, in place of `vocab`."""
    path: str | None = None
    """A file with one word in each line, relative to the spec, in place of `vocab`."""
    num_oov_indices: NonNegativeInt = 1
    """How many numbers words share that are not in the list."""
    mask_token: Word | None = None
    """A word that stands for nothing and is number 0, such as the empty one; of the list's kind."""
    oov_token: Word | None = None
    """What numbers become, with `invert`, that are those of unknown words: `[UNK]` or -1 unless given."""
    invert: bool = False
    """Whether to turn numbers into words."""

    _file: Words | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _sound(self, info: ValidationInfo) -> Self:
        if sum(one is not None for one in (self.vocab, self.artifact, self.path)) != 1:
            raise ValueError("`vocab_lookup` takes one of `vocab`, `artifact` and `path`")
        if self.artifact is not None:
            self._file = artifacts_of(info.context).words(self.artifact)
        elif self.path is not None:
            self._file = artifacts_of(info.context).words_at(self.path)
        kinds = {
            type(word) for word in (*(self.vocab or ()), self.mask_token, self.oov_token) if word is not None
        }
        kinds |= {str if self._file.text else int} if self._file is not None else set()
        if len(kinds) > 1:
            raise ValueError("`vocab` has texts or whole numbers, not both: put texts in quotes")
        seen = {self.mask_token}
        for word in self.vocab or ():
            if word in seen:
                raise ValueError(f"`{word}` is in the vocabulary twice")
            seen.add(word)
        return self

    @property
    def _text(self) -> bool:
        return self._file.text if self._file is not None else isinstance((self.vocab or ("",))[0], str)

    @property
    def _special(self) -> int:
        """The number of the first word."""
        return self.num_oov_indices + (self.mask_token is not None)

    @property
    def _longest(self) -> int:
        """The most bytes of a word."""
        longest = max((len(str(word).encode()) for word in (*self._reserved, *(self.vocab or ()))), default=0)
        return max(longest, self._file.longest if self._file is not None else 0)

    @property
    def _count(self) -> int:
        """How many numbers there are."""
        return self._special + (self._file.count if self._file is not None else len(self.vocab or ()))

    @property
    def _reserved(self) -> tuple[Word, ...]:
        """What the numbers before the first word become."""
        mask = () if self.mask_token is None else (self.mask_token,)
        return (*mask, *(self._unknown,) * self.num_oov_indices)

    @property
    def _unknown(self) -> Word:
        return ("[UNK]" if self._text else -1) if self.oov_token is None else self.oov_token

    def infer(self, x: Tensor) -> Tensor:
        """Return the same shape with numbers, or with words."""
        if self.invert:
            self.require(x, *_TAKEN)
            length = Dim.at_most(self._longest) if self._text else UNBOUNDED
            dtype, values = ("string", None) if self._text else ("int64", None)
            return replace(x, dtype=dtype, length=length, range=values, kind=None, color=None)
        if self._text or x.dtype == "string":
            self.require(x, "string", help="write whole numbers into `vocab`, or put `as_string` before it")
        if not self._text and x.dtype not in _TAKEN:
            raise Fault(
                "SD202",
                f"`vocab_lookup` has a list of whole numbers, and this component is {x}",
                help="put `{cast: int64}` before it",
            )
        values = ValueRange(0, self._count - 1)
        return replace(x, dtype="int64", length=UNBOUNDED, range=values, kind=None, color=None, encoded=None)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of a list in the spec, and for each value of its hash, place and the word there."""
        word = STRING_SLOT + self._longest + STRING_HEAP if self._text else 8
        listed = 0 if self._file is not None else times(_COPIES * (word + 16), self._count)
        return add(listed, times((1 + self.invert) * word + 48, x.elements))

    def resident(self) -> int | None:
        """Return the bytes of the tensors that the words of a file become."""
        return 0 if self._file is None else lookup.resident_bytes(self._file, numbers=not self.invert)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the number of each word, or the word of each number."""
        change = self._to_words if self.invert else self._to_numbers
        return each(call.tf, x, lambda flat: change(flat, call))

    def _to_words(self, flat: Any, call: Call) -> Any:
        tf = call.tf
        number = tf.cast(flat, tf.int64)
        inside = (number >= 0) & (number < self._count)
        if not self.num_oov_indices:
            number = self._insist(number, inside, call)
        return self._words_of(tf, tf.where(inside, number, self._special - 1))

    def _words_of(self, tf: Any, number: Any) -> Any:
        """Return the words of numbers that have one; unknown ones have the last number before the first word."""
        kind = tf.string if self._text else tf.int64
        reserved = tf.constant([*self._reserved, self._unknown], kind)
        words = (
            lookup.word_tensor(tf, self._file) if self._file is not None else tf.constant(self.vocab, kind)
        )
        known = tf.gather(words, tf.maximum(number - self._special, 0))
        return tf.where(
            number < self._special, tf.gather(reserved, tf.clip_by_value(number, 0, self._special)), known
        )

    def _to_numbers(self, flat: Any, call: Call) -> Any:
        tf = call.tf
        word = flat if self._text else tf.cast(flat, tf.int64)
        number = self._listed(tf, word) if self._file is None else self._filed(tf, word, self._file)
        if self.num_oov_indices:
            return tf.where(number < 0, self._bucket(tf, word), number)
        return self._insist(number, number >= 0, call, word)

    def _filed(self, tf: Any, word: Any, words: Words) -> Any:
        """Return the numbers of words in a file, -1 for others; the mask token is 0 though it stands there too."""
        place = lookup.lookup(tf, words)(word)
        number = tf.where(place < 0, place, place + self._special)
        if self.mask_token is None:
            return number
        return tf.where(word == self.mask_token, tf.zeros_like(number), number)

    def _listed(self, tf: Any, word: Any) -> Any:
        """Return the numbers of words in a list of the spec, -1 for others."""
        number = tf.fill(tf.shape(word), tf.constant(-1, tf.int64))
        for keys, words, numbers in self._tables(tf):
            place = tf.searchsorted(keys, tf.reshape(lookup.key(tf, word), [-1]))
            place = tf.reshape(tf.minimum(place, keys.shape[0] - 1), tf.shape(word))
            number = tf.where(tf.gather(words, place) == word, tf.gather(numbers, place), number)
        return number

    def _bucket(self, tf: Any, word: Any) -> Any:
        """Return the numbers of words that are not in the list."""
        first = tf.constant(int(self.mask_token is not None), tf.int64)
        if self.num_oov_indices == 1:
            return first
        if not self._text:
            return first + tf.math.floormod(word, self.num_oov_indices)
        return first + tf.strings.to_hash_bucket_fast(word, self.num_oov_indices)

    def _tables(self, tf: Any) -> list[tuple[Any, Any, Any]]:
        """Return tables of words in the order of their keys, each with the words' numbers.

        No key is twice in one table: words that share a hash are in different ones, of which there is one as a rule.
        """
        every = {word: number for number, word in enumerate(self.vocab or (), self._special)}
        if self.mask_token is not None:
            every[self.mask_token] = 0
        words = list(every)
        with tf.init_scope():
            keys = lookup.key(tf, tf.constant(words)).numpy().tolist()
        tables: list[dict[int, Word]] = []
        for key, word in zip(keys, words, strict=True):
            table = next((one for one in tables if key not in one), None)
            if table is None:
                tables.append(table := {})
            table[key] = word
        found: list[tuple[Any, Any, Any]] = []
        for table in tables:
            order = sorted(table)
            numbers = [every[table[key]] for key in order]
            words = [table[key] for key in order]
            kind = tf.string if self._text else tf.int64
            found.append(
                (tf.constant(order, tf.int64), tf.constant(words, kind), tf.constant(numbers, tf.int64))
            )
        return found

    def _insist(self, value: Any, fine: Any, call: Call, found: Any = None) -> Any:
        tf = call.tf
        bad = first_bad(tf, value if found is None else found, fine)
        check = Check(tf.reduce_all(fine), "SD404: vocab_lookup: not in the vocabulary:", bad)
        return insist(tf, value, [check], call.where)
