"""GPT-2's byte-level byte-pair encoding as a graph of TensorFlow's core operations.

Source: Radford et al., Language Models are Unsupervised Multitask Learners, 2019, and the encoder published with it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from safedata.artifacts.merges import Merges, tables_of
from safedata.ops.text._tokens import SPACE

_CUT: Final = b"\xff"
"""Stands between two words: no byte of UTF-8, so that no pattern matches it."""
_LAST_BLANK: Final = f"([{SPACE}]+)([{SPACE}][^{SPACE}])"
"""White space before a word: its last character belongs to the word, or is a word of its own."""
_WORD: Final = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" + SPACE + "\\p{L}\\p{N}]+|[" + SPACE + "]+"
_TOKENS: Final = 2**31
"""Numbers that a token may have: a rank times this, with a token added, has both."""
_NONE: Final = 2**62
"""Stands for two tokens that no merge joins, above every rank."""


class Table(NamedTuple):
    """The merges as tensors outside of every graph, which captures them."""

    of_byte: Any
    """The token of each byte: int64[256]."""
    keys: Any
    """Two tokens as one number, sorted, and a last one above all: int64[1, merges + 1]."""
    entries: Any
    """For each of them the rank, and the token that they become: int64[merges + 1]."""
    base: int
    """The first token of a pair counts so many times in its key."""
    ordered: bool


def table_of(tf: Any, merges: Merges) -> Table:
    """Return the tables of an encoding, read from its files."""
    import numpy as np

    found = tables_of(merges)
    keys: Any = np.array([left * merges.count + right for left, right, _ in found.merges], "int64")
    entries: Any = np.array(
        [rank * _TOKENS + made for rank, (_, _, made) in enumerate(found.merges)], "int64"
    )
    order = np.argsort(keys)
    with tf.init_scope(), tf.device("/CPU:0"):
        return Table(
            tf.constant(found.of_byte, tf.int64),
            tf.constant([[*keys[order], _NONE]], tf.int64),
            tf.constant([*entries[order], _NONE], tf.int64),
            merges.count,
            merges.ordered,
        )


def readable(tf: Any, x: Any) -> Any:
    """Return texts with U+FFFD for every byte that is no UTF-8."""
    return tf.strings.unicode_transcode(x, "UTF-8", "UTF-8", errors="replace")


def encoded(tf: Any, x: Any, table: Table) -> Any:
    """Return the tokens of a text of UTF-8, int64, or of each of a vector of them as ragged rows."""
    flat = tf.reshape(x, [-1])
    parts = tf.strings.split(_cut(tf, flat), _CUT)
    some = _true(tf, parts.values != "")
    words, of_text = tf.gather(parts.values, some), tf.gather(parts.value_rowids(), some)
    different, which = tf.unique(words)
    tokens, of_word = _merged(tf, different, table)
    each = tf.RaggedTensor.from_value_rowids(
        tokens, of_word, nrows=tf.size(different, tf.int64), validate=False
    )
    made = tf.gather(each, which)
    if not x.shape.rank:
        return made.values
    rows = tf.gather(of_text, made.value_rowids())
    return tf.RaggedTensor.from_value_rowids(made.values, rows, nrows=tf.size(flat, tf.int64), validate=False)


def _true(tf: Any, mask: Any) -> Any:
    """Return the places where a vector is true; `tf.boolean_mask` takes ten operations for what these two do."""
    return tf.reshape(tf.where(mask), [-1])


def _cut(tf: Any, texts: Any) -> Any:
    """Return texts with a byte between their words.

    The published pattern looks ahead, which RE2 cannot: white space before a word is parted first in its place.
    """
    parted = tf.strings.regex_replace(texts, _LAST_BLANK, b"\\1" + _CUT + b"\\2")
    return tf.strings.regex_replace(parted, _WORD, b"\\0" + _CUT)


def _merged(tf: Any, words: Any, table: Table) -> tuple[Any, Any]:
    """Return the tokens of all words, one behind the other, and the word of each, int64.

    A round of the loop has few operations, since they are what its time goes into for a short text.
    """
    raw = tf.io.decode_raw(tf.strings.reduce_join(words), tf.uint8)
    tokens = tf.gather(table.of_byte, tf.cast(raw, tf.int32))
    ends = tf.cumsum(tf.strings.length(words))
    places = tf.range(tf.size(tokens))
    of_word = tf.raw_ops.UpperBound(sorted_inputs=ends[None], values=places[None], out_type=tf.int64)[0]
    last, none, keys = tf.constant([-1], tf.int64), tf.constant([False]), table.keys[0]

    def step(tokens: Any, of_word: Any, _: Any) -> tuple[Any, Any, Any]:
        after, word_after = tf.concat([tokens[1:], last], 0), tf.concat([of_word[1:], last], 0)
        pair = tokens * table.base + after
        place = tf.raw_ops.LowerBound(sorted_inputs=table.keys, values=pair[None])[0]
        joins = (tf.gather(keys, place) == pair) & (of_word == word_after)
        entry = tf.where(joins, tf.gather(table.entries, place), _NONE)
        chosen = _chosen(tf, entry, joins, of_word, table.ordered)
        kept = _true(tf, ~tf.concat([none, chosen[:-1]], 0))
        joined = tf.where(chosen, entry % _TOKENS, tokens)
        return tf.gather(joined, kept), tf.gather(of_word, kept), tf.reduce_any(chosen)

    def unfinished(tokens: Any, of_word: Any, more: Any) -> Any:
        return more

    vector = tf.TensorShape([None])
    tokens, of_word, _ = tf.while_loop(
        unfinished,
        step,
        (tokens, of_word, tf.size(tokens) > 1),
        shape_invariants=(vector, vector, tf.TensorShape([])),
        parallel_iterations=1,
    )
    return tokens, of_word


def _chosen(tf: Any, entry: Any, joins: Any, of_word: Any, ordered: bool) -> Any:
    """Return for each token whether it is joined with the next one in this round.

    In each word that is the pair of the lowest rank, the first of them from the left. Where merges are ordered no join
    makes a pair of a lower rank, so that all of them that do not overlap are joined at once: in a run of such pairs,
    which overlap, every other one.
    """
    best = (entry == tf.gather(tf.math.segment_min(entry, of_word), of_word)) & joins
    places = tf.range(tf.size(entry))
    if not ordered:
        first = tf.math.segment_min(tf.where(best, places, _TOKENS - 1), of_word)
        return places == tf.gather(first, of_word)
    other = ~best
    run = tf.cumsum(tf.cast(other, tf.int32))
    start = tf.math.segment_min(places - tf.cast(other, tf.int32), run)
    return best & ((places - tf.gather(start, run)) % 2 == 0)
