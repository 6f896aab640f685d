from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import safedata
from safedata.problem import Problem, Span
from safedata.spec.load import load
from safedata.spec.node import DocumentError

DEFAULTS = """\
safedata: 1
params:
  count: 64
  rate: 1.0
  flag: true
  word: a
  sizes: [1, 2]
  mixed: [1, a]
  free: null
source:
  values: ["${count}", "${rate}", "${flag}", "${word}", "${sizes}", "${mixed}", "${free}"]
"""


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("count", "128", 128),
        ("count", "1e3", 1000),
        ("count", "1_000", 1000),
        ("rate", "2", 2.0),
        ("rate", 3, 3.0),
        ("flag", "false", False),
        ("word", "5", "5"),
        ("word", Path("a/b"), "a/b"),
        ("sizes", "[3]", [3]),
        ("sizes", (4, 5), [4, 5]),
        ("mixed", ["x", 1, None], ["x", 1, None]),
        ("free", "7", 7),
        ("free", "x y", "x y"),
    ],
)
def test_an_override_is_read_by_the_type_of_the_default(name: str, given: object, value: object) -> None:
    """Text from a command line and values from Python become what the default is."""
    found = load(DEFAULTS, overrides={name: given}).params[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("count", "abc", "takes a whole number, not `abc`"),
        ("count", "1.5", "takes a whole number, not `1.5`"),
        ("count", True, "takes a whole number, not `True`"),
        ("rate", "fast", "takes a number, not `fast`"),
        ("flag", "yes", "takes `true` or `false`, not `yes`"),
        ("flag", 1, "takes `true` or `false`, not `1`"),
        ("word", 5, "takes text, not `5`"),
        ("sizes", "[a]", "takes a list in which each is a whole number"),
        ("sizes", "3", "takes a list"),
        ("sizes", "[1, 2", "takes a list"),
        ("mixed", [[1]], "takes a list of scalars"),
        ("free", [1], "takes a scalar"),
        ("cuont", 1, r"no parameter `cuont` to set \(help: did you mean `count`\?\)"),
    ],
)
def test_an_override_of_another_type_is_refused(name: str, given: object, message: str) -> None:
    """A value that the default's type does not take is SD107."""
    with pytest.raises(DocumentError, match=rf"SD107.*{message}"):
        load(DEFAULTS, overrides={name: given})


def test_a_whole_value_keeps_its_type_and_inside_text_it_is_text() -> None:
    """`"${n}"` is the value itself, `a${n}` text, and `$${n}` the characters."""
    text = "safedata: 1\nparams: {n: 2, l: [1], b: true, e: 1.0}\n"
    text += 'source: {a: "${n}", b: "x${n}${b}${e}", c: "$${n}", d: "${l}", e: "$x $ {n}", f: "${ n }"}\n'
    assert load(text).document.plain(("source",)) == {
        "a": 2, "b": "x2true1.0", "c": "${n}", "d": [1], "e": "$x $ {n}", "f": 2,
    }  # fmt: skip


def test_a_parameters_place_is_where_it_is_used() -> None:
    """Problems with a parameter's value point at the `${...}`."""
    found = load('safedata: 1\nparams: {n: [1, 2]}\nsource: {a: "${n}"}\n').document
    assert found.span(("source", "a")) == found.span(("source", "a", 1)) == Span("<text>", 3, 13, 3, 19)
    assert found.span(("source", "a"), key=True) == Span("<text>", 3, 10, 3, 11)


def test_the_environment_is_read_only_with_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """`${env:NAME}` needs the caller's leave and a variable that is set; its value is text."""
    text = 'safedata: 1\nsource: {a: "${env:SAFEDATA_TEST}"}\n'
    monkeypatch.setenv("SAFEDATA_TEST", "5")
    assert load(text, allow_env=["SAFEDATA_TEST"]).document.plain(("source", "a")) == "5"
    with pytest.raises(DocumentError, match=r"SD112.*which its caller did not allow"):
        load(text, allow_env=["OTHER"])
    monkeypatch.delenv("SAFEDATA_TEST")
    with pytest.raises(DocumentError, match=r"SD112.*is not set"):
        load(text, allow_env=["SAFEDATA_TEST"])


def test_a_values_text_is_not_searched_for_parameters_again() -> None:
    """An override that looks like `${...}` stays as it is: there is one pass."""
    text = 'safedata: 1\nparams: {a: x, b: y}\nsource: {a: "${a}", b: "-${a}${b}"}\n'
    found = load(text, overrides={"a": "${b}"}).document.plain(("source",))
    assert found == {"a": "${b}", "b": "-${b}y"}


@settings(deadline=None)
@given(st.text(max_size=40))
def test_any_override_of_text_is_taken_as_it_is(text: str) -> None:
    """A parameter that is text takes every text unchanged."""
    found = load('safedata: 1\nparams: {a: x}\nsource: "${a}"\n', overrides={"a": text})
    assert found.document.plain(("source",)) == text


@settings(deadline=None)
@given(st.text(st.sampled_from("[]{},:'\"1e.-_ ~&*!$\n\t"), max_size=12))
def test_any_text_for_a_number_or_list_is_a_value_or_an_answer(text: str) -> None:
    """No text for a parameter brings out another exception."""
    codes = [problem.code for name in ("count", "sizes", "free") for problem in problems_of(name, text)]
    assert set(codes) <= {"SD107"}


def problems_of(name: str, given: object) -> tuple[Problem, ...]:
    try:
        return load(DEFAULTS, overrides={name: given}).warnings
    except DocumentError as error:
        return error.problems


def test_no_parameter_is_named_like_an_argument(tmp_path: Path) -> None:
    """A parameter that `check`, `load` or `open` could not be given is refused where it stands."""
    import inspect

    taken: set[str] = set()
    for function in (safedata.check, safedata.load, safedata.open):
        taken |= {
            name
            for name, one in inspect.signature(function).parameters.items()
            if one.kind is not one.VAR_KEYWORD
        }
    for name in taken:
        path = tmp_path / "spec.yaml"
        path.write_text(f"safedata: 1\nparams: {{{name}: 3}}\nsource: {{range: 9}}\n")
        [problem] = safedata.check(path).problems
        assert problem.code == "SD107"
        assert problem.message.startswith(f"`{name}` is an argument of `safedata.load`")
        assert problem.span is not None
        assert (problem.span.line, problem.span.column) == (2, 10)
