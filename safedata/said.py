"""What TensorFlow says at run time, without its own names; and the names that tell where it was said."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

NO_EXAMPLE: Final = ("Could not parse example input", "Invalid protocol message input")
"""What TensorFlow's parsers say of a record that is no example; the first one goes on with the record's bytes."""
_LONGEST: Final = 600
"""Characters of TensorFlow's own words that a message repeats."""
_UNSAFE: Final = r"[^A-Za-z0-9_]"
_PART: Final = r"\bpart\.([0-9]+)\.(?:_[0-9]+)?/"
_OF: Final = r"\bof\.(\w*)\.(?:_[0-9]+)?/"
_DO: Final = r"\bdo\.(\w*)\.(?:_[0-9]+)?/"
_BOUND: Final = r"SD501: ([^:]+): "
_ITERATOR: Final = r"Error in user-defined function passed to \S+ transformation with iterator: \S+: "
"""What stands before the words of an operation inside of a dataset's function."""
_NAMED: Final = r"Name: SD404: (.+?), ((?:Key|Feature|Feature list|Context feature): .*?)\.?$"
"""What TensorFlow's parser says of a record that it was told the name of."""


class Spot(NamedTuple):
    """Where in a step something went wrong, as far as that was said."""

    part: int | None = None
    """Which of the steps that run in one call."""
    component: str | None = None
    operation: str | None = None


def part_scope(number: int) -> str:
    """Return the name of a graph's scope for one of the steps that run in one call."""
    return f"part.{number}."


def component_scope(name: str) -> str:
    """Return the name of a graph's scope for the operations on one component."""
    return f"of.{re.sub(_UNSAFE, '_', name)}."


def operation_scope(name: str) -> str:
    """Return the name of a graph's scope for one operation."""
    return f"do.{re.sub(_UNSAFE, '_', name)}."


def spot_in(text: str, components: Iterable[str]) -> Spot:
    """Return where something went wrong, by the scopes in the name of the node that TensorFlow's message has.

    Args:
        text: the message.
        components: those that the step reads or makes.
    """
    # what fails inside of a function of a function has a node for each of them
    nodes = " ".join(re.findall(r"\[\[(?:\{\{node )?([^\]}]*)", text))
    part, of, do = re.search(_PART, nodes), re.search(_OF, nodes), re.findall(_DO, nodes)
    bound = re.search(_BOUND, text)
    known = [name for name in components if of is not None and component_scope(name) == f"of.{of[1]}."]
    named = [name for name in components if bound is not None and name == bound[1]]
    return Spot(
        int(part[1]) if part else None,
        next(iter([*known, *named]), None),
        do[-1] if do else None,
    )


def worded(text: str) -> str:
    """Return TensorFlow's message without its node names."""
    known = [one for one in ("CallFailedError: ", "assertion failed: ", "DataError: ") if one in text]
    if any(sign in text for sign in NO_EXAMPLE):
        return "the record is no serialized example"
    text = text if known else _found(text)
    for start in known:
        text = text.split(start, 1)[-1]
    text = text.split("\n")[0].split(" [[{{")[0].split(" [Op:")[0]
    if text.startswith("{{"):
        text = text.partition("}} ")[2]
    text = re.sub(_ITERATOR, "", text)
    text = re.sub(_NAMED, r"SD404: \2, in \1", text)
    text = text.strip().strip("[]").replace("] [", " ").replace("'", "")
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _found(text: str) -> str:
    """Return what was found, where the places of the nodes in the program stand before it."""
    if "Detected at node" in text:
        text = text.split("\n\n")[-1]
    several = re.search(r"\(0\) [A-Z_]+: +(.*)", text)
    return several[1] if several else text
