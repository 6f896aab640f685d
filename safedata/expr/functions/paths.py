"""Functions on paths, as Python's `pathlib` has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from safedata.expr.functions.base import Arguments, Function, LengthRule, S, broadcast
from safedata.expr.functions.site import elementwise
from safedata.expr.functions.text import ANY, same_length, strings
from safedata.memory import times
from safedata.types import Dim


def _swap(tf: Any, path: Any, pattern: str, by: str) -> Any:
    return tf.strings.regex_replace(path, pattern, by, replace_global=False)


def _name(tf: Any, path: Any) -> Any:
    return _swap(tf, _swap(tf, path, "/+$", ""), rf"^{ANY}/", "")


def _stem(tf: Any, path: Any) -> Any:
    return _swap(tf, _name(tf, path), r"^(\C+)\.[^.]+$", r"\1")


def _suffix(tf: Any, path: Any) -> Any:
    name = _name(tf, path)
    has_one = tf.strings.regex_full_match(name, r"\C+\.[^.]+")
    return tf.where(has_one, _swap(tf, name, r"^\C+(\.[^.]+)$", r"\1"), "")


def _parent(tf: Any, path: Any) -> Any:
    path = _swap(tf, path, r"^(\C*[^/])/+$", r"\1")
    above = _swap(tf, _swap(tf, path, rf"^(\C*)/{ANY}$", r"\1"), "/+$", "")
    inside = tf.strings.regex_full_match(path, rf"{ANY}/{ANY}")
    return tf.where(inside, tf.where(above == "", "/", above), ".")


def _path(name: str, compute: Callable[..., Any], doc: str, length: LengthRule = same_length) -> Function:
    return Function(
        name,
        (S,),
        strings(),
        broadcast,
        elementwise(compute),
        doc,
        f"{name}(s)",
        length=length,
        extra=lambda arguments, _: times(3, arguments.types[0].bytes),
    )


def _parent_length(arguments: Arguments) -> Dim:
    length = same_length(arguments)
    return length if length.most is None else Dim.at_most(max(1, length.most), length.evidence)


FUNCTIONS: Final = (
    _path("path_name", _name, "last part of a path: `c.tar.gz` of `a/b/c.tar.gz`"),
    _path("path_stem", _stem, "last part without its suffix: `c.tar`"),
    _path("path_parent", _parent, "all but the last part: `a/b`; `.` where there is no more", _parent_length),
    _path("path_suffix", _suffix, "last suffix with its dot: `.gz`; empty where there is none"),
)
