"""Who still refers to a pipeline's objects after it was left, in words that a person can act on."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple

from safedata.allocator import started
from safedata.memory import format_size
from safedata.pipeline.referrers import name_holders

_NAMED: Final = 5
"""Holders that are named for one kind of thing; the rest are counted."""


class Held(NamedTuple):
    """Something of a pipeline that is still alive after the pipeline was left."""

    kind: Literal["dataset", "iterator", "tensors"]
    what: str
    """What is held, as a noun phrase: `2 tensors like the pipeline's (4.50 MiB)`."""
    by: str
    """Who holds it: ``the local variable `it` of `train` (train.py:12)``."""

    def __str__(self) -> str:
        return f"{self.what} {self.verb} held by {self.by}"

    @property
    def verb(self) -> str:
        """`is` or `are`, as `what` wants it."""
        return "are" if self.what[0].isdigit() else "is"


def alive_tensors(tf: Any) -> dict[int, weakref.ref[Any]]:
    """Return the eager tensors that are alive now, by `id`, without keeping them alive.

    It goes through the objects that the garbage collector knows: some 30 ms with TensorFlow loaded. Where TensorFlow
    has not started there are none, and it is left so: its allocator is still to be chosen.
    """
    if not started():
        return {}
    kind = _tensor_type(tf)
    return {id(one): weakref.ref(one) for one in gc.get_objects() if type(one) is kind}


def still_held(
    tf: Any, dataset: Any | None, element_spec: Any, before: dict[int, weakref.ref[Any]]
) -> list[Held]:
    """Return what is left of a pipeline, with who holds it; never raises.

    Args:
        tf: the TensorFlow module.
        dataset: the pipeline's dataset where something still refers to it; None where it is gone.
        element_spec: its type; tensors of another dtype or shape are not looked at.
        before: the tensors that were alive before the pipeline was made; these are not looked at.

    TensorFlow does not note where a tensor came from. So tensors are told by their type and their age, and one
    that the program made itself with the same type in the meantime is named too.
    """
    try:
        found: list[Held] = []
        if dataset is not None:
            found += _dataset_holders(tf, dataset)
        return found + _tensor_holders(tf, element_spec, before)
    # Names are a service: an object with a broken `__dict__` or a changed TensorFlow must not break leaving.
    except Exception as error:
        return [
            Held("dataset", "something", f"what could not be looked at ({type(error).__name__}: {error})")
        ]


def _dataset_holders(tf: Any, dataset: Any) -> list[Held]:
    made, iterators = _made_from(tf, dataset)
    found = [Held("iterator", "an iterator", by) for by in _named(iterators)] if iterators else []
    derived = [one for one in made if one is not dataset]
    # The dataset's own holders are its user's variables; what was made from it is named for itself.
    own = name_holders([dataset], ignore=[*made, *iterators])
    found += [Held("dataset", "the dataset", by) for by in own[:_NAMED]]
    if derived:
        found += [Held("dataset", "a dataset made from it", by) for by in _named(derived, ignore=iterators)]
    return found or [Held("dataset", "the dataset", _UNSEEN)]


_UNSEEN: Final = "something that Python's garbage collector cannot show, such as a loop that still runs"


def _made_from(tf: Any, dataset: Any) -> tuple[list[Any], list[Any]]:
    """Return the datasets that have `dataset` in them, itself included, and the iterators over these."""
    datasets = _alive(tf.data.Dataset)
    made = {id(dataset): dataset}
    grown = True
    while grown:
        more = {id(one): one for one in datasets if id(one) not in made and _any_in(_inputs(one), made)}
        grown = bool(more)
        made |= more
    iterators = [one for one in _alive(tf.data.Iterator) if id(getattr(one, "_dataset", None)) in made]
    return list(made.values()), iterators


def _alive(kind: type[Any]) -> list[Any]:
    # By the type, not `isinstance`: that asks an object for its `__class__`, which a proxy answers with code.
    return [one for one in gc.get_objects() if kind in type(one).__mro__]


def _inputs(dataset: Any) -> Iterable[Any]:
    inputs = getattr(dataset, "_inputs", None)
    return inputs() if inputs is not None else ()


def _any_in(objects: Iterable[Any], known: dict[int, Any]) -> bool:
    return any(id(one) in known for one in objects)


def _tensor_holders(tf: Any, element_spec: Any, before: dict[int, weakref.ref[Any]]) -> list[Held]:
    specs = tf.nest.flatten(element_spec, expand_composites=True)
    kind = _tensor_type(tf)
    tensors = [
        one
        for one in gc.get_objects()
        if type(one) is kind and not _is(before.get(id(one)), one) and _fits(one, specs)
    ]
    if not tensors:
        return []
    size = sum(int(one.dtype.size or 0) * int(one.shape.num_elements() or 0) for one in tensors)
    count = "a tensor" if len(tensors) == 1 else f"{len(tensors)} tensors"
    what = f"{count} like the pipeline's ({format_size(size)})"
    holders = _named(tensors)
    by = ", ".join(holders[:-1]) + " and " + holders[-1] if len(holders) > 1 else holders[0]
    return [Held("tensors", what, by)]


def _tensor_type(tf: Any) -> type[Any]:
    kind: type[Any] = tf.constant(0).__class__
    return kind


def _is(reference: weakref.ref[Any] | None, one: Any) -> bool:
    return reference is not None and reference() is one


def _fits(tensor: Any, specs: Sequence[Any]) -> bool:
    """Return whether a tensor may be a component of an element; scalars, of which any program has many, are not."""
    return bool(tensor.shape.rank) and any(
        tensor.dtype == spec.dtype and spec.shape.is_compatible_with(tensor.shape) for spec in specs
    )


def _named(targets: Sequence[Any], ignore: Sequence[Any] = ()) -> list[str]:
    names = name_holders(targets, ignore=ignore)
    if not names:
        return [_UNSEEN]
    more = len(names) - _NAMED
    return names if more <= 0 else [*names[:_NAMED], f"{more} more"]
