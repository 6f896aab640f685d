"""Words of a file as tensors that a graph captures: there is one of each, however many calls use them."""

from __future__ import annotations

from itertools import islice
from typing import Any, Final

from safedata.artifacts.words import Words

HASHES: Final = 2**63 - 1
"""Buckets of the hash by which words are found; words that share one are told apart by their letters."""
_PORTION: Final = 1 << 16
"""Words that are Python objects at once while a file is read."""


def resident_bytes(words: Words, *, numbers: bool) -> int:
    """Return a bound on what the tensors of these words take, in bytes.

    Args:
        words: what is known of them.
        numbers: whether words are looked up, and not numbers: that takes a key and a place for each.

    The words count twice, since they are put together from portions before anything runs; so do keys and places, which
    NumPy sorts.
    """
    return 2 * words.size + (2 * 16 * words.count if numbers else 0)


def key(tf: Any, word: Any) -> Any:
    """Return what words are looked up by: a hash of texts, whole numbers as they are."""
    if word.dtype == tf.string:
        return tf.strings.to_hash_bucket_fast(word, HASHES)
    return tf.cast(word, tf.int64)


def word_tensor(tf: Any, words: Words) -> Any:
    """Return the words in their order, a tensor outside of every graph."""
    source, portions = words.read(), list[Any]()
    with tf.init_scope(), tf.device("/CPU:0"):
        while portion := list(islice(source, _PORTION)):
            given = portion if words.text else [int(word) for word in portion]
            portions.append(tf.constant(given, tf.string if words.text else tf.int64))
        return portions[0] if len(portions) == 1 else tf.concat(portions, 0)


def lookup(tf: Any, words: Words) -> Any:
    """Return a function from words to their places in the file, -1 for those that are not there."""
    import numpy as np

    with tf.init_scope(), tf.device("/CPU:0"):
        every = word_tensor(tf, words)
        keys = key(tf, every).numpy()
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        # Words that share a hash stand one behind the other: as many places are looked at as the most of them.
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        tries = int(np.diff(np.append(starts, len(keys))).max())
        found_keys, found_order = tf.constant(keys), tf.constant(order, tf.int64)

    def places(word: Any) -> Any:
        first = tf.searchsorted(found_keys, tf.reshape(key(tf, word), [-1]))
        result = tf.fill(tf.shape(word), tf.constant(-1, tf.int64))
        for step in range(tries):
            at = tf.reshape(tf.minimum(first + step, words.count - 1), tf.shape(word))
            number = tf.gather(found_order, at)
            result = tf.where(tf.gather(every, number) == word, number, result)
        return result

    return places
