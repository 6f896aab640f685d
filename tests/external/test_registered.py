"""Operations of a team's own: those of the calling program, and those of installed packages."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

import safedata
from safedata import registry
from safedata.lowering import Call
from safedata.ops.base import Op
from safedata.problem import Problem, SpecError
from safedata.types import Tensor

OPS = '''
from typing import Any, ClassVar
import safedata
from safedata.lowering import Call
from safedata.ops.base import Op
from safedata.types import Tensor

@safedata.op(version="3")
class AddTo(Op):
    """Add a number to every value."""

    example: ClassVar[str] = "{add_to: 2}"
    main: ClassVar[str | None] = "number"

    number: int
    """What is added."""

    def infer(self, x: Tensor) -> Tensor:
        """Return the same type."""
        self.require(x, "int64")
        return Tensor(x.dtype, x.shape)

    def lower(self, x: Any, call: Call) -> Any:
        """Return the sum."""
        return x + self.number
'''


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Leave no operation behind."""
    before = dict(registry.registered)
    yield
    registry.registered.clear()
    registry.registered.update(before)


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Return what puts a package with operations where Python finds installed ones."""
    made: list[str] = []

    def install(name: str = "acme", entries: str = "add_to = acme.ops:AddTo", code: str = OPS) -> None:
        site = tmp_path / f"site-{name}"
        package = site / name
        info = site / f"{name}_ops-1.2.dist-info"
        package.mkdir(parents=True)
        info.mkdir()
        (package / "__init__.py").write_text("")
        (package / "ops.py").write_text(code)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-ops\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[safedata.ops]\n{entries}\n")
        monkeypatch.syspath_prepend(site)
        made.append(name)

    yield install
    for module in [one for one in sys.modules if one.partition(".")[0] in made]:
        del sys.modules[module]


def spec(entry: str) -> str:
    return f"safedata: 1\nsource: {{range: 3}}\nsteps:\n  - map: {{value: [{entry}]}}\n"


def problem(entry: str, *allow: str) -> Problem:
    [found] = safedata.check(spec(entry), allow=allow, host="8GiB").problems
    return found


@pytest.mark.tf
def test_an_installed_operation_is_used_like_ours(install: Install) -> None:
    """A package that is allowed brings operations with short forms, types, errors and a graph."""
    install()
    dataset = safedata.load(spec("{add_to: 5}"), allow=["acme"], host="8GiB")
    assert [one["value"] for one in dataset.as_numpy_iterator()] == [5, 6, 7]
    assert problem("{add_to: x}", "acme").message == "`add_to` takes a whole number, not `x`"
    assert problem("{add_to: {numbr: 1, number: 2}}", "acme").help == "did you mean `number`?"
    assert problem("{cast: float32}, {add_to: 1}", "acme").code == "SD202"
    nested = safedata.load(spec("{random_apply: {p: 1.0, ops: [{add_to: 5}]}}"), allow=["acme"], host="8GiB")
    assert [one["value"] for one in nested.as_numpy_iterator()] == [5, 6, 7]
    assert problem("{random_apply: {p: 1.0, ops: [{add_to: 5}]}}").code == "SD231"


def test_an_installed_operation_needs_leave(install: Install) -> None:
    """Without leave the error says which package has it; nothing of the package is imported."""
    install()
    found = problem("{add_to: 5}")
    assert found.code == "SD231"
    assert found.message == (
        "`add_to` is an operation of the package acme-ops 1.2, from `acme.ops`, which the caller does not allow"
    )
    assert "acme.ops" not in sys.modules
    assert safedata.check(spec("{add_to: 5}"), allow=["acme.ops"], host="8GiB").fits
    assert problem("{add_to: 5}").code == "SD231"  # also once another check has imported it
    assert problem("{add_too: 5}").help == "did you mean `add_to`?"


def own(title: str = "Halve", /, **given: Any) -> type[Op]:
    class Halve(Op):
        """Halve every value."""

        example: ClassVar[str] = "halve"

        def infer(self, x: Tensor) -> Tensor:
            return x

        def lower(self, x: Any, call: Call) -> Any:
            return x // 2

    Halve.__qualname__ = Halve.__name__ = title
    return safedata.op(**given)(Halve)


@pytest.mark.tf
def test_the_program_s_own_operations_need_no_leave() -> None:
    """What the calling program registers itself is known to its specs."""
    own()
    dataset = safedata.load(spec("{cast: int64}, halve"), host="8GiB")
    assert [one["value"] for one in dataset.as_numpy_iterator()] == [0, 0, 1]
    assert problem("halv").help == "did you mean `halve`?"


@pytest.mark.parametrize(
    ("given", "code", "message"),
    [
        ({"name": "resize"}, "SD237", "has the name of one of safedata's own operations"),
        ({"name": "call"}, "SD237", "safedata's own"),
        ({"name": "Big Name"}, "SD235", "is no name for an operation"),
        ({"name": "../x"}, "SD235", "is no name for an operation"),
    ],
)
def test_names_that_are_refused(given: dict[str, str], code: str, message: str) -> None:
    """A name is in small letters and means one thing."""
    with pytest.raises(SpecError, match=message) as caught:
        own(**given)
    assert caught.value.problems[0].code == code


def test_two_classes_cannot_share_a_name() -> None:
    """The same class again is a module loaded anew; another class is an error."""
    own()
    own()
    with pytest.raises(SpecError, match=r"`halve` is an operation of `.*Halve` and of `.*Other`"):
        safedata.op(name="halve")(own("Other", name="other"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("class Bad: pass", "is no subclass of"),
        ("class Bad(Op):\n  'D.'\n  example = 'bad'", "does not define `infer`, `lower`"),
        ("class Bad(Op):\n  example = 'bad'\n  infer = lower = lambda *_: None", "has no docstring"),
        ("class Bad(Op):\n  'D.'\n  infer = lower = lambda *_: None", "has no `example`"),
        ("Bad = 3", "is no subclass of"),
    ],
)
def test_what_is_no_operation(body: str, message: str) -> None:
    """A class that lacks what an operation has is refused where it is registered."""
    names: dict[str, Any] = {"Op": Op, "__name__": "somewhere"}
    exec(body.replace("example =", "example: 'ClassVar[str]' ="), {**names, "ClassVar": ClassVar}, names)
    with pytest.raises(SpecError, match=message):
        safedata.op(names["Bad"])


def test_two_packages_cannot_share_a_name(install: Install) -> None:
    """Where two packages, or a package and the program, have one name, neither is taken or imported."""
    install()
    install("zeta", "add_to = zeta.ops:AddTo")
    found = problem("{add_to: 1}", "acme", "zeta")
    assert found.code == "SD237"
    assert found.message == "`add_to` is an operation of `acme.ops.AddTo` and `zeta.ops.AddTo`"
    assert not {"acme.ops", "zeta.ops"} & set(sys.modules)


def test_an_entry_that_leads_elsewhere(install: Install) -> None:
    """An entry point whose class is not registered under its name, or cannot be imported, says so."""
    install(entries="plus = acme.ops:AddTo\ngone = acme.nowhere:Gone")
    assert problem("{plus: 1}", "acme").code == "SD235"
    found = problem("{gone: 1}", "acme")
    assert (found.code, found.message[:27]) == ("SD232", "`acme.nowhere` cannot be im")
