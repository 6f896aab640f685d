"""Reading an expression: what is taken, what is refused, and where the finger points."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import time
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safedata.expr import FUNCTIONS, Expression, parse
from safedata.expr.functions import FAMILIES
from safedata.expr.tree import Const
from safedata.problem import CODES, Fault


def refused(text: str) -> Fault:
    """Return the fault of a text; its span must lie inside the text."""
    with pytest.raises(Fault) as caught:
        parse(text)
    fault = caught.value
    assert fault.within is not None
    assert 0 <= fault.within[0] <= fault.within[1] <= len(text)
    assert fault.code in CODES
    return fault


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * 3 + 1", 7),
        ("-7 // 2", -4),
        ("1 / 4", 0.25),
        ("2 ** -1", 0.5),
        ("(-2) ** 63", -(2**63)),
        ("1_000", 1000),
        ("0x10", 16),
        ("1e3", 1000.0),
        ("'a' + \"b\"", "ab"),
        (r"r'\d'", r"\d"),
        ("(-1) ** 10**9", 1),
        ("  \n 3\r\n ", 3),
    ],
)
def test_literals_are_computed_once(text: str, value: object) -> None:
    """Arithmetic on literals is Python's, done when the text is read."""
    root = parse(text).root
    assert isinstance(root, Const)
    assert root.value == value
    assert type(root.value) is type(value)


@pytest.mark.parametrize(
    ("text", "code", "piece", "message"),
    [
        ("", "SD120", "", "the expression is empty"),
        ("x +", "SD120", None, "cannot be read"),
        ("x y", "SD120", None, "cannot be read"),
        ("x) + (y", "SD120", ")", "closes nothing"),
        ("(x]", "SD120", "]", "closes nothing"),
        ("len((x)", "SD120", "(", "never closed"),
        ("x + 'a", "SD120", "'", "never ends"),
        ("x + '''a'''", "SD120", "'''", "one quote, not three"),
        ("x + b'a'", "SD120", "b", "stands right before a string"),
        ("f'{x}'", "SD120", "f", "stands right before a string"),
        ("x # y", "SD120", "#", "starts no comment"),
        ("x.shape", "SD120", "x.shape", "`x.shape` is not part of the language"),
        ("lambda: 1", "SD120", "lambda: 1", "is not part of the language"),
        ("[i for i in x]", "SD120", "x", "goes over constants"),
        ("[i for i in range(n)]", "SD120", "range(n)", "goes over constants"),
        ("[i for i in range(3, 3)]", "SD120", None, "goes over 1 to 64 constants"),
        ("[i for i in range(10**18)]", "SD120", None, "goes over 1 to 64 constants"),
        ("[i for i in range(0, 9, 0)]", "SD120", None, "goes over constants"),
        ("[i for i in [1, 2] if i > 1]", "SD120", None, "one name, one list and no condition"),
        ("[i for i in [1] for j in [2]]", "SD120", None, "one name, one list and no condition"),
        ("[a for a, b in [1]]", "SD120", None, "one name, one list and no condition"),
        ("[i for i in [1, 2]] + i.x", "SD120", "i.x", "is not part of the language"),
        ("{i for i in [1]}", "SD120", None, "is not part of the language"),
        ("(i for i in [1])", "SD120", None, "is not part of the language"),
        ("(y := 1)", "SD120", "y := 1", "is not part of the language"),
        ("{1: 2}", "SD120", "{1: 2}", "is not part of the language"),
        ("x, y", "SD120", "x, y", "is not part of the language"),
        ("x if y", "SD120", None, "cannot be read"),
        ("1j", "SD120", "1j", "is not part of the language"),
        ("None", "SD120", "None", "is not part of the language"),
        ("x.mean()", "SD120", "x.mean", "only functions of the language"),
        ("x & y", "SD120", "x & y", "operator is not part"),
        ("1 << 10**9", "SD120", None, "operator is not part"),
        ("x is y", "SD120", "x is y", "operator is not part"),
        ("x in y", "SD120", "y", "`in` needs a list of constants"),
        ("[[1, 2], [3]]", "SD120", None, "lists inside of this one differ in size"),
        ("[1, [2]]", "SD120", "[1, [2]]", "lists inside of this one differ in size"),
        ("x in [[1]]", "SD120", "[[1]]", "`in` needs a list of constants"),
        ("[i for i in [[1], [2]]]", "SD120", "[[1], [2]]", "goes over constants"),
        ("reshape(x, [[2], [1]])", "SD107", "[[2], [1]]", "is a list of sizes"),
        ("[1, 'a']", "SD120", "[1, 'a']", "constants of one kind"),
        ("x in []", "SD120", "[]", "the list is empty"),
        ("1 + 9**9**9", "SD120", "9**9**9", "does not fit 64 bits"),
        ("'a' * 10**9", "SD120", "'a' * 10**9", "only `\\+` joins two of them"),
        ("2**63 + x", "SD120", "2**63", "does not fit 64 bits"),
        ("1e999", "SD120", "1e999", "too large for a float"),
        ("10.0 ** 400", "SD120", None, "too large a number"),
        ("x + 1 // 0", "SD120", "1 // 0", "a division by zero"),
        ("x[::0]", "SD120", "0", "constant integer, and not 0"),
        ("x[::n]", "SD120", "n", "constant integer, and not 0"),
        ("x[..., ...]", "SD120", None, "stands twice"),
        ("x()()", "SD120", "x()", "only functions of the language"),
        ("lenn(x)", "SD106", "lenn", "there is no function `lenn`"),
        ("__import__('os')", "SD106", "__import__", "there is no function `__import__`"),
        ("negative(x)", "SD106", "negative", "there is no function `negative`"),
        ("len()", "SD107", "len()", "`len` needs `x`"),
        ("min(x, y)", "SD107", "y", "takes 1 argument in order"),
        ("min(x, axes=1)", "SD107", "1", "has no parameter `axes`"),
        ("len(x, x=y)", "SD107", "y", "given twice"),
        ("sum(x, axis=n)", "SD107", "n", "is an integer or a list of integers"),
        ("sum(x, keepdims=1)", "SD107", "1", "is True or False"),
        ("cast(x, 'float23')", "SD107", "'float23'", "is the name of a dtype"),
        ("reshape(x, [-1, -1])", "SD107", "[-1, -1]", "is a list of sizes"),
        ("concat(x)", "SD107", "concat(x)", "takes two values or more"),
        ("len(*x)", "SD120", "*x", "is not part of the language"),
        ("len(**x)", "SD120", "len(**x)", "passes no arguments"),
        ("\N{DOG FACE} + 1", "SD120", None, "cannot be read"),
        ("'é\N{DOG FACE}' + lenn(x)", "SD106", "lenn", "there is no function"),
        ("x\0", "SD120", "\0", "no text"),
        ("'\ud800'", "SD120", "\ud800", "no text"),
        ("'\\ud800'", "SD120", "'\\ud800'", "no text"),
    ],
)
def test_what_is_refused(text: str, code: str, piece: str | None, message: str) -> None:
    """A text outside the language is one fault, at the smallest piece that shows it."""
    fault = refused(text)
    with pytest.raises(Fault, match=message):
        parse(text)
    assert fault.code == code
    assert fault.message[0].islower() or fault.message[0] == "`"
    if piece is not None:
        assert text[slice(*(fault.within or ()))] == piece


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("image / 255", {"image"}),
        ('f["image/encoded"] == f["a b"]', {"image/encoded", "a b"}),
        ("f[0] + f[n:m]", {"f", "n", "m"}),
        ("length > 1", {"length"}),
        ("größe + 1 if True else false", {"größe"}),
        ("f['\N{DOG FACE}'] + y", {"\N{DOG FACE}", "y"}),
    ],
)
def test_names(text: str, names: set[str]) -> None:
    """An expression names the components that it reads, functions and constants not among them."""
    assert parse(text).names == names


def test_near_names_are_offered() -> None:
    """An unknown function comes with the one that was meant."""
    assert refused("lenght(s)").help == "did you mean `length`?"
    assert "maximum(a, b)" in (refused("max(a, b)").help or "")


HOSTILE = [
    "(" * 10_000 + ")" * 10_000,
    "(" * 2000 + ")" * 2000,
    "[" * 60 + "1" + "]" * 60,
    "-" * 4000 + "x",
    "not " * 1000 + "x",
    "x**" * 1300 + "x",
    "+".join("x" * 2000),
    "x if y else " * 300 + "x",
    "x" + "[0]" * 1300,
    "9**9**9**9",
    "9**9**9",
    "(" + "9**" * 10 + "9)",
    "9" * 4000,
    "1e" + "9" * 100,
    "'a'*10**9",
    "'" + "a" * 1_000_000 + "'",
    "lambda " * 500,
    "x[" + ":," * 1000 + "]",
    "\N{DOG FACE}" * 4000,
    "a if" * 1000,
    "{" * 40 + "}" * 40,
    "[" * 12 + "i" + " for i in range(64)]" * 12,
    "[" * 3 + "x[i]" + "".join(f" for {name} in range(64)]" for name in "ijk"),
    "[[x[i] + j for i in range(64)] for j in range(64)] + " * 40 + "1",
    "[i for i in range(9**18)]",
    "range(" * 45 + "1" + ")" * 45 + "[",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:12])
def test_hostile_texts_are_refused_at_once(text: str) -> None:
    """A text made to exhaust the reader is one fault, after little work: calls are counted, not seconds."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")
        if calls > 500_000:
            raise TimeoutError("too many calls")

    before = time.thread_time()
    sys.setprofile(count)
    try:
        refused(text)
    finally:
        sys.setprofile(None)
    assert (
        time.thread_time() - before < 5
    )  # of this thread's own, whatever else runs: C does not compute for long


PIECES: list[str] = re.split(
    " ",
    "x n s 1 2.5 'a' \"b\" True ( ) [ ] , : . ... + - * / // % ** == != < <= > >= in not and or if else None "
    "for i range( [i len( sum( cast( concat( axis= keepdims= f[ \N{DOG FACE} \\ \n ' \" # é := lambda @ & is 9**9",
)


def outcome(text: str) -> Expression | Fault:
    try:
        return parse(text)
    except Fault as fault:
        return fault


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=14).map(" ".join)))
def test_any_text_is_an_expression_or_a_fault(text: str) -> None:
    """No text brings anything but an expression or a fault inside the text, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = outcome(text)
    if isinstance(found, Fault):
        assert found.within is not None
        assert 0 <= found.within[0] <= found.within[1] <= len(text)


def test_warnings_of_python_do_not_leak() -> None:
    """What Python would warn of in source code is silent here."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert parse(r"regex_full_match(s, '\d+')").names == {"s"}


def test_every_function_tells_what_it_is() -> None:
    """Each entry of the table has a line of documentation and an example that uses it."""
    for name, function in FUNCTIONS.items():
        assert function.name == name
        assert function.doc[0] == function.doc[0].lower() or name in function.doc
        assert not function.doc.endswith(".")
        calls = parse(function.example)
        assert name == "negative" or name in calls.text


def test_the_table_names_what_its_modules_have() -> None:
    """Each family's module has the functions that the table says, and a module is imported only for one of them."""
    for family, names in FAMILIES.items():
        module = importlib.import_module(f"safedata.expr.functions.{family}")
        assert " ".join(one.name for one in module.FUNCTIONS) == names
    code = "import sys, safedata.expr as e; e.parse('n % 2'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.rpartition(".")[2] for name in done.stdout.split() if "expr.functions." in name}
    assert loaded & set(FAMILIES) <= {"division", "structure"}


def test_import_brings_in_no_heavy_module() -> None:
    """Reading expressions loads neither TensorFlow nor NumPy."""
    code = "import sys, safedata.expr; print(*({'tensorflow', 'numpy', 'asyncio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        ("int(x)", "write `int64(x)`"),
        ("log10(x)", "write `log(x) / log(10)`"),
        ("x ^ y", "`bitwise_xor(a, b)` is that of bits, `a != b` that of truth values"),
        ("x << 2", "write `left_shift(x, n)`"),
        ("x.mean()", "write `mean(...)`"),
        ("'cat' in path", '`regex_full_match(s, ".*part.*")` looks for a part of a text'),
    ],
)
def test_what_is_said_otherwise_here(text: str, way_out: str) -> None:
    """What Python and NumPy have, and the language says otherwise, is refused with how it is said."""
    with pytest.raises(Fault) as caught:
        parse(text)
    assert caught.value.help == way_out
