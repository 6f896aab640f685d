"""`record`: the standard library's `dataclass`, made in a fifth of the time.

`dataclass` writes the source of six methods for each class and compiles it: 0.9 ms for each class, at every
start. A record's methods are ordinary functions that go through its fields instead, so an object takes about
twice as long to make; a check makes few. To type checkers a record is a dataclass, and `dataclasses.replace`
and `dataclasses.fields` take it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

__all__ = ["record"]

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool = False, slots: bool = False, eq: bool = True) -> Callable[[type], type]:
        """Return a class decorator; the arguments mean what they mean for `dataclass`."""

        def made(cls: type) -> type:
            own = set(vars(cls))
            cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
            for name, method in _methods(cls, frozen=frozen, eq=eq).items():
                if name not in own:
                    setattr(cls, name, method)
            return cls

        return made


def _methods(cls: Any, *, frozen: bool, eq: bool) -> dict[str, Any]:
    methods: dict[str, Any] = {
        "__init__": _init(dataclasses.fields(cls)),
        "__repr__": _repr,
        "__reduce__": _reduce,
    }
    if eq:
        methods |= {"__eq__": _eq, "__hash__": _hash if frozen else None}
    if frozen:
        methods |= {"__setattr__": _refuse, "__delattr__": _refuse}
    return methods


def _init(fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    names = tuple(field.name for field in fields)
    defaults = {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}
    makers = ((field.name, field.default_factory) for field in fields)
    factories = {name: maker for name, maker in makers if maker is not dataclasses.MISSING}

    def init(self: Any, *args: Any, **given: Any) -> None:
        for name, value in zip(names, args):  # noqa: B905  # the rest may have defaults
            _put(self, name, value)
        for name in names[len(args) :]:
            if name in given:
                _put(self, name, given.pop(name))
            elif name in defaults:
                _put(self, name, defaults[name])
            elif name in factories:
                _put(self, name, factories[name]())
            else:
                raise TypeError(f"{type(self).__name__}() misses the argument `{name}`")
        if given or len(args) > len(names):
            wrong = ", ".join(f"`{name}`" for name in given) or f"argument {len(names) + 1}"
            raise TypeError(f"{type(self).__name__}() does not take {wrong}, or takes it only once")

    return init


_put = object.__setattr__


def _repr(self: Any) -> str:
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
    return f"{type(self).__qualname__}({values})"


def _compared(record: Any) -> list[Any]:
    return [getattr(record, field.name) for field in record.__dataclass_fields__.values() if field.compare]


def _eq(self: Any, other: object) -> bool:
    return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(tuple(_compared(self)))


def _reduce(self: Any) -> tuple[Any, ...]:
    """Return how copies and pickles are made: by the arguments, since a frozen object takes no attributes."""
    return self.__class__, tuple([getattr(self, name) for name in self.__dataclass_fields__])


def _refuse(self: Any, name: str, value: object = None) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change the field `{name}` of {type(self).__name__}")
