"""Checks inside the graph, which name the element where something is wrong, and ways that are seldom taken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

_TEXTS: Final = "safedata/texts"
"""The collection of a graph that keeps what `Where.text` made in it."""
_SHOWN: Final = 3
"""How many entries of a tensor that was found are shown, as TensorFlow's own default is."""


class Where(NamedTuple):
    """Where an element came from, for messages."""

    tf: Any
    what: str = "an element"
    """What to say where nobody knows more."""
    origin: Callable[[Any], Any] | None = None
    """Makes the text, a scalar string, from the element's index."""
    index: Any = None
    """The index: int64[], int64[batch...] for a batch; None where elements are not counted."""
    batch_dims: int = 0

    @property
    def text(self) -> Any:
        """A scalar string; the same one wherever a graph asks for one element: each costs a microsecond."""
        if self.origin is None or self.index is None:
            return self.tf.constant(self.what)
        made = self.tf.compat.v1.get_collection_ref(_TEXTS)
        # The branches of a graph share the list, and cannot have each other's tensors.
        here = self.tf.compat.v1.get_default_graph()
        for origin, index, text in made:
            if origin is self.origin and index is self.index and text.graph is here:
                return text
        text = self._made(self.origin)
        made.append((self.origin, self.index, text))
        return text

    def _made(self, origin: Callable[[Any], Any]) -> Any:
        if not self.batch_dims:
            return origin(self.index)
        first = origin(self.tf.reshape(self.index, [-1])[0])
        return self.tf.strings.join(["a batch that starts with ", first])


class Check(NamedTuple):
    """Something that must be true of an element."""

    fine: Any
    """Scalar bool tensor."""
    message: str
    """What is wrong where it is not, starting with the problem's code; what was found follows it."""
    found: Any = None
    """What was found instead, a tensor, if there is something to show."""


def insist(tf: Any, value: Any, checks: Sequence[Check], where: Where) -> Any:
    """Return `value` once all checks are found to hold.

    Raises at run time (`tf.errors.InvalidArgumentError`) what a check that does not hold says.
    """
    if not checks:
        return value
    text = where.text
    # `tf.debugging.Assert` would make every constant twice, and put a `tf.cond` around a check that shows other numbers
    # than int32: an iterator takes a third of a millisecond more to start for each operation.
    made = [
        tf.raw_ops.Assert(condition=one.fine, data=_words(tf, one, text), summarize=_SHOWN) for one in checks
    ]
    with tf.control_dependencies(made):
        return tf.identity(value)


def _words(tf: Any, check: Check, text: Any) -> list[Any]:
    if check.found is None:
        return [tf.constant(f"{check.message}, in"), text]
    found = check.found
    if found.dtype == tf.string:  # TensorFlow's errors are UTF-8, and Python fails on one that is not
        found = tf.strings.unicode_transcode(found, "UTF-8", "UTF-8", errors="replace")
    return [tf.constant(check.message), found, tf.constant("in"), text]


def first_bad(tf: Any, found: Any, fine: Any) -> Any:
    """Return the first of `found` where `fine` is false, as a vector of one; of none where it is true throughout.

    A mask would make a vector of all of them, and one of their places, however many there are.

    Args:
        tf: the TensorFlow module.
        found: a tensor.
        fine: bool, of the same shape.
    """
    place = tf.argmin(tf.concat([tf.reshape(fine, [-1]), [False]], 0))
    return tf.reshape(found, [-1])[place : place + 1]


def either(tf: Any, which: Any, value: Any, usual: Callable[[Any], Any], rare: Callable[[Any], Any]) -> Any:
    """Return `usual(value)` where `which` is true, and `rare(value)` elsewhere.

    The rare way is a function of its own, which TensorFlow sets up when it is first taken; as a branch of
    `tf.cond` it would be set up and optimised again with every new iterator. It must not change anything
    outside of it, and is not put in an order with other operations.

    Args:
        tf: the TensorFlow module.
        which: a scalar bool tensor.
        value: a tensor.
        usual: makes one tensor; its operations stay in the graph, and none of them has an effect.
        rare: makes one tensor of the same dtype.
    """
    split = tf.raw_ops.Switch(data=value, pred=which)
    made = late(tf, rare, split.output_false)
    return tf.raw_ops.Merge(inputs=[usual(split.output_true), made]).output


def late(tf: Any, make: Callable[[Any], Any], value: Any) -> Any:
    """Return `make(value)`, one tensor, by a function that TensorFlow sets up when it is first called.

    So a way that is never taken costs no time and no memory. It must not change anything outside of it.
    """
    # `_noinline` keeps it out of the graph, `_tf_data_function` from being optimised with every new iterator.
    attributes = {"_noinline": True, "_tf_data_function": True}
    spec = tf.TensorSpec(value.shape, value.dtype)
    function = tf.function(make, autograph=False, experimental_attributes=attributes).get_concrete_function(
        spec
    )
    function.add_to_graph()
    [made] = tf.raw_ops.PartitionedCall(
        args=[value, *function.captured_inputs],
        Tout=[output.dtype for output in function.outputs],
        f=function,
    )
    return made
