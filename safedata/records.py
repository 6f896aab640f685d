"""`record`: the standard library's `dataclass`, made in a fifth of the time.

`dataclass` writes the source of six methods for each class and compiles it: 0.9 ms for each class, at every
start. A record's methods are ordinary functions that go through its fields instead, so an object takes about
twice as long to make; a check makes few. To type checkers a record is a dataclass, and `dataclasses.replace`
and `dataclasses.fields` take it; the `replace` here does the same for records alone, in a third of the time.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING, Any

__all__ = ["record", "replace"]

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as record
    from dataclasses import replace
else:

    def replace(one: Any, **changes: Any) -> Any:
        """Return a copy of a record with some fields changed; what it has is taken over, and nothing is run."""
        kind = type(one)
        made = kind.__new__(kind)  # an exception is not made by `object`
        for name in one.__dataclass_fields__:
            _put(made, name, changes.pop(name) if name in changes else getattr(one, name))
        for name in changes:
            raise TypeError(f"{type(one).__name__} has no field `{name}`")
        return made

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
        methods |= _compared(tuple(field.name for field in dataclasses.fields(cls) if field.compare), frozen)
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


def _compared(names: tuple[str, ...], frozen: bool) -> dict[str, Any]:
    """Return `__eq__` and `__hash__` over these fields; what can be changed has no hash."""
    values: Callable[[Any], Any] = attrgetter(*names) if names else _nothing

    def eq(self: Any, other: object) -> bool:
        return values(self) == values(other) if type(other) is type(self) else NotImplemented

    def hashed(self: Any) -> int:
        return hash(values(self))

    return {"__eq__": eq, "__hash__": hashed if frozen else None}


def _nothing(_: Any) -> None:
    """Return the same for every record, as one without fields has it."""


def _reduce(self: Any) -> tuple[Any, ...]:
    """Return how copies and pickles are made: by the arguments, since a frozen object takes no attributes."""
    return self.__class__, tuple([getattr(self, field.name) for field in dataclasses.fields(self)])


def _refuse(self: Any, name: str, value: object = None) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change the field `{name}` of {type(self).__name__}")
