"""`tokenize`: a text as the vector of its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, PositiveInt, PrivateAttr, ValidationInfo, model_validator
from typing_extensions import Self

from safedata.artifacts.shelf import Input, artifacts_of
from safedata.artifacts.words import Words
from safedata.insist import Check, insist
from safedata.lowering import Call
from safedata.memory import KIB, MIB, times
from safedata.ops.base import Op
from safedata.ops.text import _tokens
from safedata.ops.text._text import at_most_bytes, blank, first_entries
from safedata.problem import Fault
from safedata.types import STRING_HEAP, STRING_SLOT, Dim, Tensor, ValueRange

if TYPE_CHECKING:
    from safedata.artifacts.merges import Merges

_PLAIN: Final = ("whitespace", "unicode_script", "characters")
_WORDPIECE: Final = (24 * MIB, 100, 256)
"""What the tokenizer of a vocabulary takes while it is made: in all, for each word, for each of its bytes.

Measured: 22 MB for 3,000 random words, 59 MB for 28,000, 265 MB for 177,000, which have 8.4 bytes each."""
_SENTENCEPIECE: Final = (6 * MIB, 20)
"""What a model takes: in all, for each byte of its file.

Measured: 5.5 MB for a file of 59 kB, 14 MB for 561 kB, 65 MB for 3.6 MB."""
_BPE: Final = (MIB, 32, 16, 160)
"""What byte pairs take: in all; for each byte of both files while these are read; for each merge; for each byte of a
text.

Measured: 6.2 MB for files of 270 kB; for texts of 1 MB 62 to 110 bytes for each, the most where each is a word."""
_REPLACED: Final = 3
"""Bytes of the character that stands for a byte that is no UTF-8."""
_EXPANDED: Final = 11
"""Bytes that one byte becomes at most when a model normalizes its text (NFKC)."""


class Tokenize(Op):
    """Split a text into the vector of its tokens.

    `whitespace` splits at the white space of Unicode; `unicode_script` where the script changes, punctuation
    included, as tensorflow_text's tokenizer of that name; `characters` gives single characters. `wordpiece` and
    `sentencepiece` give the numbers of pieces, by a vocabulary or a model in the file `path`, as tensorflow_text's
    `FastWordpieceTokenizer` (which splits at white space and punctuation first, and keeps upper case) and
    `SentencepieceTokenizer` do; they need the extra `safedata[text]`. `bpe` gives the numbers of GPT-2's byte-level
    byte-pair encoding, as the package `tokenizers` does, with the vocabulary in the JSON file `path` and the merges in
    `merges`; text like `<|endoftext|>` is text like any other. A batch of texts takes a tenth of the time of
    its texts one by one, so put its map behind `batch`.

    There are at most as many tokens as the bytes of the text allow, so give `max_tokens`, behind which tokens are
    left out, and, for words, `max_bytes`, above which one is an error (SD501 at run time). Of a batch of texts it
    makes ragged rows.
    """

    example: ClassVar[str] = "{tokenize: unicode_script}"
    main: ClassVar[str | None] = "kind"
    fallible: ClassVar[bool] = True

    kind: Literal["whitespace", "unicode_script", "characters", "wordpiece", "sentencepiece", "bpe"]
    """How to split."""
    path: Annotated[str, Field(min_length=1)] | None = None
    """For `wordpiece` a vocabulary with one piece in each line, for `sentencepiece` a model, for `bpe` a
    `vocab.json`; relative to the spec."""
    merges: Annotated[str, Field(min_length=1)] | None = None
    """For `bpe`: the file of merges, two tokens in each line, the first to be made in front; relative to the spec."""
    artifact: str | None = None
    """For `wordpiece`: the artifact that is its vocabulary, in place of `path`."""
    max_tokens: PositiveInt | None = None
    """The number of tokens that are kept, the first ones."""
    max_bytes: PositiveInt | None = None
    """The most bytes that a token has that is text."""
    unknown_token: str = "[UNK]"
    """For `wordpiece`: the piece that stands for words without pieces; it must be in the vocabulary."""

    _words: Words | None = PrivateAttr(None)
    _model: Input | None = PrivateAttr(None)
    _pairs: Merges | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _sound(self, info: ValidationInfo) -> Self:
        self._check_fields()
        if self.kind == "bpe":
            self._pairs = artifacts_of(info.context).merges_at(self.path or "", self.merges or "")
        elif self.kind not in _PLAIN:
            _tokens.extra(f"tokenize: {self.kind}")
            self._open(info)
        return self

    def _check_fields(self) -> None:
        if self.artifact is not None and (self.kind != "wordpiece" or self.path is not None):
            raise ValueError("`artifact` is the vocabulary of `kind: wordpiece`, in place of `path`")
        if self.artifact is None and (self.kind in _PLAIN) != (self.path is None):
            raise ValueError(f"`kind: {self.kind}` takes {'no' if self.kind in _PLAIN else 'a'} `path`")
        if self.max_bytes is not None and self.kind not in ("whitespace", "unicode_script"):
            raise ValueError(f"`kind: {self.kind}` needs no `max_bytes`")
        if (self.kind == "bpe") != (self.merges is not None):
            raise ValueError(f"`kind: {self.kind}` takes {'its' if self.kind == 'bpe' else 'no'} `merges`")

    def _open(self, info: ValidationInfo) -> None:
        """Look at the model, or the vocabulary."""
        if self.kind == "sentencepiece":
            self._model = artifacts_of(info.context).file_at(self.path or "")
            return
        files, named = artifacts_of(info.context), "path" if self.artifact is None else "artifact"
        self._words = files.words_at(self.path or "") if self.artifact is None else files.words(self.artifact)
        if self.unknown_token.encode() not in self._words.read():
            problem = f"`{self.artifact or self.path}` does not have the piece `{self.unknown_token}`"
            raise Fault(
                "SD424",
                problem,
                (named,),
                help="name the one that it has for unknown words in `unknown_token`",
            )

    @property
    def rows(self) -> bool:
        """True: texts have as many tokens as they have."""
        return True

    def infer(self, x: Tensor) -> Tensor:
        """Return a vector of strings or of numbers."""
        self.require(x, "string")
        if x.rank:
            raise Fault("SD203", f"`tokenize` takes one text, not {x}", help="put `join` before it")
        count = self._count(x.length)
        if self.max_tokens is not None:
            count = count.capped(self.max_tokens)
        if self.kind in _PLAIN:
            return Tensor("string", (count,), self._length(x.length)).of_one(self._text(x.length))
        known = self._words or self._pairs
        values = ValueRange(0, known.count - 1) if known is not None else None
        return Tensor("int64", (count,), range=values)

    def _count(self, length: Dim) -> Dim:
        """Return how many tokens there can be."""
        if length.most is None:
            return length
        if self.kind == "whitespace":  # one blank between two
            return Dim.at_most((length.most + 1) // 2, length.evidence)
        if self.kind == "sentencepiece":  # a model may put a blank, a beginning and an end to it
            return Dim.at_most(_EXPANDED * length.most + 3, length.evidence)
        return blank(length)

    def _length(self, length: Dim) -> Dim:
        """Return the bytes of one token: a character of UTF-8 has four at most."""
        if self.kind == "characters":
            return Dim.at_most(4)
        grown = blank(length).scaled(_REPLACED if self.kind == "unicode_script" else 1)
        return grown if self.max_bytes is None else grown.capped(self.max_bytes, "declared")

    def _text(self, length: Dim) -> int | None:
        """Return the bytes of all tokens together; a byte that is no UTF-8 becomes the three of U+FFFD."""
        return times(1 if self.kind == "whitespace" else _REPLACED, length.most)

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of every character with script and place, and of all tokens before some are left out."""
        most, count = x.length.most, self._count(x.length).most
        if most is None or count is None:
            return None
        if self.kind == "bpe":
            return _BPE[3] * most + 16 * KIB
        if self.kind == "sentencepiece":  # the lattice: nodes in blocks of 1,024, several for each character
            return 512 * most + 256 * KIB
        text = 0 if self.kind == "characters" else _REPLACED * most + STRING_HEAP * (most // 8)
        space = len(_tokens.SPACES) if self.kind == "unicode_script" else 0
        return count * (STRING_SLOT + 24) + most * (space + 32) + text

    def resident(self) -> int | None:
        """Return the bytes of a model, or of a vocabulary made a tokenizer."""
        if self._model is not None:
            return _SENTENCEPIECE[0] + _SENTENCEPIECE[1] * self._model.size
        if self._pairs is not None:
            return _BPE[0] + _BPE[1] * self._pairs.size + _BPE[2] * self._pairs.merges
        if self._words is None:
            return 0
        fixed, word, byte = _WORDPIECE
        letters = self._words.size - STRING_SLOT * self._words.count
        short = min(22, self._words.longest) * self._words.count
        return fixed + word * self._words.count + byte * (letters + short)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the tokens of `x`."""
        tf = call.tf
        made = self._encode(x, call) if self._pairs is not None else self._split(tf, x)
        if self.max_tokens is not None:
            made = first_entries(tf, made, self.max_tokens)
        if self.max_bytes is not None:
            made = at_most_bytes(made, call, self.max_bytes, "tokenize: bytes of a token")
        return made if call.batch_dims else tf.ensure_shape(made, call.y.static_shape)

    def _split(self, tf: Any, x: Any) -> Any:
        if self.kind == "whitespace":
            return _tokens.by_whitespace(tf, x)
        if self.kind == "unicode_script":
            return _tokens.by_script(tf, x)
        if self.kind == "characters":
            return tf.strings.unicode_split(x, "UTF-8")
        return tf.cast(self._pieces(tf).tokenize(x), tf.int64)

    def _encode(self, x: Any, call: Call) -> Any:
        """Return the numbers of byte pairs; bytes that are no UTF-8 must not make a text longer than its type says."""
        from safedata.ops.text import _bpe  # few specs have such a tokenizer

        assert self._pairs is not None
        tf, most = call.tf, call.x.length.most
        found = _bpe.readable(tf, x)
        longest = tf.reduce_max(tf.strings.length(found))
        message = f"SD501: tokenize: with U+FFFD for what is no UTF-8, bytes must be at most {most}; got"
        found = insist(tf, found, [Check(longest <= most, message, longest)], call.where)
        return _bpe.encoded(tf, found, _bpe.table_of(tf, self._pairs))

    def _pieces(self, tf: Any) -> Any:
        """Return the tokenizer of the extra, made outside of the graph, which captures it."""
        text = _tokens.package()
        with tf.init_scope(), tf.device("/CPU:0"):
            if self._model is not None:
                with open(self._model.path, "rb") as file:
                    return text.SentencepieceTokenizer(model=file.read(), out_type=tf.int32)
            assert self._words is not None
            return text.FastWordpieceTokenizer(
                [word.decode() for word in self._words.read()],
                unknown_token=self.unknown_token,
                token_out_type=tf.int64,
                support_detokenization=False,
            )
