"""The way out to Python: what is refused, what is promised, and what is held to at run time."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.memory import HOST
from safedata.problem import Problem

ALLOW = ["mine"]
IMAGE = 'synthetic: {components: {image: "uint8[4, 5, 3]", label: "int64[]"}, count: 6}'
RANGE = "range: 6"


def spec(entry: str, key: str = "value", source: str = RANGE, rest: str = "") -> str:
    return f"safedata: 1\nsource: {{{source}}}\nsteps:\n  - map: {{'{key}': [{entry}]}}\n{rest}"


def call(name: str, returns: str, more: str = "workspace: 1KiB") -> str:
    return f'{{call: "mine.vision:{name}", returns: {{{returns}}}, {more}}}'


CUT = spec(call("cut", 'image: "uint8[2, 2, 3]"'), "image", IMAGE)


def problems(text: str, allow: list[str] | None = None) -> list[Problem]:
    return list(safedata.check(text, allow=ALLOW if allow is None else allow, host="8GiB").problems)


@pytest.mark.parametrize("allow", [[], ["min"], ["mine.visions"], ["mine.vision.cut"], ["vision"]])
def test_a_module_that_is_not_allowed_is_refused(allow: list[str], mine: Path) -> None:
    """Only the caller allows a module; the way to do it is in the error."""
    [found] = problems(CUT, allow)
    assert found.code == "SD231"
    assert (
        found.message == "`mine.vision:cut` is a function of `mine.vision`, which the caller does not allow"
    )
    assert "--allow mine.vision" in (found.help or "")
    assert "mine.vision" not in sys.modules


@pytest.mark.parametrize("allow", [["mine"], ["mine.vision"], ["other", "mine.vision"]])
def test_a_check_imports_no_function(allow: list[str], mine: Path) -> None:
    """A package allows its modules, and a check takes a call's word without importing it."""
    verdict = safedata.check(CUT, allow=allow, host="8GiB")
    assert verdict.fits, verdict.problems
    assert verdict.plan is not None
    assert str(verdict.plan.result.element["image"]) == "uint8[2, 2, 3]"
    assert verdict.plan.result.element["image"].evidence == "declared"
    assert "mine.vision" not in sys.modules


@pytest.mark.parametrize(
    ("allow", "message"),
    [
        ("mine", "takes a list of modules"),
        (["*"], "is not a module's name"),
        (["mine:cut"], "not a module's name"),
    ],
)
def test_allowing_takes_names_of_modules(allow: Any, message: str) -> None:
    """A single text, a pattern or a function is not what `allow` takes."""
    with pytest.raises(ValueError, match=message):
        safedata.check(CUT, allow=allow)


@pytest.mark.parametrize(
    ("entry", "code", "message"),
    [
        ("call", "SD105", "`call` needs the function that it calls"),
        ('{call: "mine.vision:cut"}', "SD104", "needs `returns`"),
        (
            call("cut", 'value: "int64[]"', "graph: false"),
            "SD233",
            "nobody says what `mine.vision:cut` holds",
        ),
        (call("cut", 'other: "int64[]"'), "SD234", "the chain makes `value`, and this call returns `other`"),
        (call("cut", 'value: "int65[]"'), "SD105", "`int65` is not a dtype"),
        (call("cut", 'value: "int64[?]"'), "SD204", r"nothing bounds `value`, int64\[\?\]"),
        (call("cut", 'value: "string[?]"'), "SD204", "nothing bounds"),
        (call("cut", ""), "SD234", "returns"),
        (call("cut", 'value: {type: "string[<=3B]", range: [0, 1]}'), "SD205", "`range` is for numbers"),
        (call("cut", 'value: {type: "int64[]", range: [2, 1]}'), "SD205", "starts with its lower end"),
        (call("cut", 'value: "int64[]"', "wrokspace: 1KiB"), "SD103", "has no key `wrokspace`"),
        (call("cut", 'value: "int64[]"', "workspace: -1KiB"), "SD105", "not a size"),
        (call("cut", 'value: "int64[]"', "workspace: 1KiB, parallel: 0"), "SD105", "`parallel` takes"),
        (
            call("cut", 'value: "int64[]"', "workspace: 1KiB, graph: true, parallel: 2"),
            "SD105",
            "`parallel` is for",
        ),
        ('{call: "mine.vision", returns: {value: "int64[]"}}', "SD105", "names no function of a module"),
        ('{call: "mine.vision:_own", returns: {value: "int64[]"}}', "SD105", "start with `_`"),
        ('{call: "mine.vision:a.b", returns: {value: "int64[]"}}', "SD105", "names no function"),
    ],
)
def test_what_is_refused(entry: str, code: str, message: str) -> None:
    """A call that says too little, or something else than fits, is one problem with a way out."""
    [found] = problems(spec(entry))
    assert found.code == code
    assert re.search(message, found.message), found.message
    assert found.span is not None


BEGIN = "source: {range: 3}\nsteps: [{map: {value: "
DECLARED = 'returns: {value: "int64[]"}, workspace: 0 B'
HOSTILE = [
    f'allow: [os]\n{BEGIN}[{{call: "os:system", {DECLARED}}}]}}}}]',
    f'runtime: {{allow: [os]}}\n{BEGIN}[{{call: "os:system", {DECLARED}}}]}}}}]',
    f'{BEGIN}[{{call: "os:system", allow: [os], {DECLARED}}}]}}}}]',
    f'{BEGIN}[{{call: "os:system", _allowed: [os], _target: x, {DECLARED}}}]}}}}]',
    f'params: {{f: "os:system"}}\n{BEGIN}[{{call: "${{f}}", {DECLARED}}}]}}}}]',
    f'{BEGIN}[{{call: "builtins:exec", {DECLARED}}}]}}}}]',
    f'{BEGIN}[{{call: ["os", "system"], {DECLARED}}}]}}}}]',
    f'{BEGIN}["os:system"]}}}}]',
    f'{BEGIN}"= call(1)"}}}}]',
    f'{BEGIN}"= os:system"}}}}]',
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_spec_can_allow_anything(text: str) -> None:
    """Whatever a spec says, what its caller does not allow stays an error."""
    assert not safedata.check(f"safedata: 1\n{text}", host="8GiB").fits


def test_nothing_is_imported_for_a_hostile_spec() -> None:
    """In a fresh process no such spec loads a module that it names."""
    texts = [
        f"safedata: 1\n{text}".replace("os:system", "antigravity:fly").replace("[os]", "[antigravity]")
        for text in HOSTILE
    ]
    code = (
        "import sys, safedata\n"
        f"for text in {texts!r}: safedata.check(text, host='8GiB', allow=['this'])\n"
        "assert not {'antigravity', 'this', 'tensorflow', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)


@pytest.mark.tf
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("system", "`mine.vision:system` is not defined there, but in `posix`"),
        ("part", "is not defined there, but in"),
        ("Thing", "is no function, but a class"),
        ("calls", "is no function, but a list"),
        ("cutt", "`mine.vision` has no function `cutt`"),
    ],
)
def test_a_module_is_asked_only_for_its_own_functions(name: str, message: str, mine: Path) -> None:
    """What an allowed module merely imports, or what is no function, is refused when the graph is built."""
    text = spec(call(name, 'value: "int64[]"'))
    with pytest.raises(safedata.SpecError, match=message) as caught:
        safedata.load(text, allow=ALLOW, host="8GiB")
    [found] = caught.value.problems
    assert found.code == "SD232"
    assert found.span is not None
    assert found.span.line == 4


@pytest.mark.tf
def test_an_import_that_fails_is_the_cause(mine: Path) -> None:
    """The module's own exception is told, and is the cause."""
    text = spec('{call: "mine.broken:f", returns: {value: "int64[]"}, workspace: 0 B}')
    with pytest.raises(
        safedata.SpecError, match=r"`mine\.broken` cannot be imported: ModuleNotFoundError"
    ) as caught:
        safedata.load(text, allow=ALLOW, host="8GiB")
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)
    assert "PYTHONPATH" in (caught.value.problems[0].help or "")


def values(text: str, **how: Any) -> list[Any]:
    return list(safedata.load(text, allow=ALLOW, host="8GiB", **how).as_numpy_iterator())


@pytest.mark.tf
def test_components_go_through_the_function(mine: Path) -> None:
    """A function of one component, of two, and of text gets and gives what stands in the spec."""
    import numpy as np

    plain = values(spec("{from: image}", "image", IMAGE))
    for one, made in zip(plain, values(CUT), strict=True):
        np.testing.assert_array_equal(made["image"], one["image"][:2, :2])
    two = call("both", 'image: "uint8[<=4, 5, 3]", label: "int64[]"')
    for text in (
        spec(two, "image, label", IMAGE),
        f"safedata: 1\nsource: {{{IMAGE}}}\nsteps:\n  - map: {two}\n",
    ):
        for one, made in zip(plain, values(text), strict=True):
            np.testing.assert_array_equal(made["image"], one["image"][::-1])
            assert made["label"] == one["label"] + 1
    text = spec("as_string, " + call("shout", 'value: "string[<=30B]"'))
    assert values(text)[2] == {"value": b"2"}
    assert values(spec(call("number", 'value: "int16[]"')))[0] == {"value": 7}


@pytest.mark.tf
def test_a_seed_follows_from_the_element(mine: Path) -> None:
    """A function that draws gets one seed for each element and epoch, whatever runs at once."""
    entry = call(
        "drawn", 'value: {type: "float32[]", range: [0, 1]}', "workspace: 0 B, seed: true, parallel: 2"
    )
    text = spec(entry, rest="runtime: {seed: 5}\n")
    dataset = safedata.load(text, allow=ALLOW, host="8GiB")
    first, second = ([one["value"] for one in dataset.as_numpy_iterator()] for _ in range(2))
    assert len({*first, *second}) == 12
    again = safedata.load(text.replace("steps:", "steps:\n  - shuffle: 6"), allow=ALLOW, host="8GiB")
    assert {one["value"] for one in again.as_numpy_iterator()} == set(first)
    other = values(text.replace("seed: 5", "seed: 6"))
    assert not {one["value"] for one in other} & set(first)


@pytest.mark.tf
@pytest.mark.parametrize(
    ("entry", "code", "message"),
    [
        (
            call("bad", 'value: "float32[3]"'),
            "SD511",
            r"returned float64\[3\] for `value`, and float32\[3\] is declared",
        ),
        (call("bad", 'value: "float64[2]"'), "SD511", r"returned float64\[3\] for `value`"),
        (
            call("bad", 'value: "float64[<=2]"'),
            "SD511",
            r"returned float64\[3\] for `value`, and float64\[<=2\]",
        ),
        (
            call("bad", 'value: {type: "float64[3]", range: [1, 2]}'),
            "SD511",
            r"values of 0..0 for `value`, and 1..2",
        ),
        (
            call("number", 'value: "string[<=3B]"'),
            "SD511",
            "returned a int for `value`, and text is declared",
        ),
        (call("number", 'value: "bool[]"'), "SD511", "and bool"),
        (
            call("fails", 'value: "int64[]"'),
            "SD512",
            "`mine.vision:fails` raised KeyError: 'no such thing', in range element 3",
        ),
        (call("stops", 'value: "int64[]"'), "SD512", "raised StopIteration, in range element 0"),
        (call("leaves", 'value: "int64[]"'), "SD512", "raised SystemExit: 3"),
    ],
)
def test_what_a_function_does_wrong_is_told(entry: str, code: str, message: str, mine: Path) -> None:
    """A result that is not as declared, or an exception, names the function and the element."""
    with pytest.raises(safedata.DataError, match=message.replace("'", ".?")) as caught:
        safedata.build(spec(entry), allow=ALLOW, host="8GiB")
    [found] = caught.value.problems
    assert found.code == code
    if "KeyError" in message:
        cause = caught.value.__cause__
        assert cause is not None
        assert isinstance(cause.__cause__, KeyError)
        frames = []
        trace = cause.__cause__.__traceback__
        while trace is not None:
            frames.append(trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        assert frames[-1] == "fails"


@pytest.mark.tf
def test_inputs_cannot_be_written_to(mine: Path) -> None:
    """The bytes that a function gets are TensorFlow's own: changing them is an error, not a change elsewhere."""
    with pytest.raises(safedata.DataError, match="read-only"):
        safedata.build(
            spec(call("writes", 'image: "uint8[4, 5, 3]"'), "image", IMAGE), allow=ALLOW, host="8GiB"
        )


@pytest.mark.tf
def test_a_bad_element_can_be_left_out(mine: Path) -> None:
    """Under `on_error: skip` an element that a function raises for is left out and told."""
    text = spec(call("fails", 'value: "int64[]"'), rest="runtime: {on_error: skip}\n")
    report = safedata.build(text, allow=ALLOW, host="8GiB")
    assert report.elements == 5
    assert report.skipped == ("range element 3",)


@pytest.mark.tf
def test_a_graph_function_is_traced(mine: Path) -> None:
    """With `graph: true` the function is part of the graph, its branches and its seed included."""
    entry = call("doubled", 'value: "float32[]"', "workspace: 0 B, graph: true")
    assert [one["value"] for one in values(spec(entry))] == [0, 2, 4, 6, 8, 10]
    seeded = call("branched", 'value: "float32[]"', "workspace: 0 B, graph: true, seed: true")
    made = [one["value"] for one in values(spec(seeded))]
    assert 0 <= made[1] - 1 < 1
    assert 0 <= made[3] + 3 < 1
    with pytest.raises(safedata.SpecError, match=r"makes float32\(\) for `value`, and int64\[\] is declared"):
        safedata.load(
            spec(call("doubled", 'value: "int64[]"', "workspace: 0 B, graph: true")), allow=ALLOW, host="8GiB"
        )
    with pytest.raises(safedata.SpecError, match=r"`mine.vision:shout` cannot be traced: AttributeError"):
        safedata.load(
            spec(call("shout", 'value: "int64[]"', "workspace: 0 B, graph: true")), allow=ALLOW, host="8GiB"
        )
    limited = call("doubled", 'value: {type: "float32[]", range: [0, 7]}', "workspace: 0 B, graph: true")
    with pytest.raises(safedata.DataError, match=r"outside of 0\.\.7"):
        safedata.build(spec(limited), allow=ALLOW, host="8GiB")


def test_workspace_is_counted_for_each_call(mine: Path) -> None:
    """A larger `workspace` raises the bound by itself for each call that may be in the function at once."""

    def held(size: str, calls: int = 1) -> int:
        entry = call("cut", 'image: "uint8[2, 2, 3]"', f"workspace: {size}, parallel: {calls}")
        text = spec(entry, "image", IMAGE, "runtime: {threads: 3}\n")
        verdict = safedata.check(text, allow=ALLOW, host="64GiB")
        return sum(
            line.hold.bytes or 0
            for line in verdict.lines
            if line.hold.place == HOST and line.step is not None and "leave behind" not in line.hold.why
        )

    assert held("101MiB") - held("1MiB") == 100 * 2**20
    assert held("101MiB", 2) - held("1MiB", 2) == 200 * 2**20
    assert held("101MiB", 9) - held("1MiB", 9) == 300 * 2**20


@pytest.mark.tf
def test_a_call_inside_of_another_operation(mine: Path) -> None:
    """A combinator's own operations are asked for leave too, and one that it applies does what it does alone."""
    entry = call("cut", 'image: "uint8[2, 2, 3]"')
    inside = f"{{random_apply: {{p: 1.0, ops: [{entry}]}}}}"
    same = f"{{random_choice: [[{entry}], [{entry}]]}}"
    assert [one.code for one in problems(spec(inside, "image", IMAGE), [])] == ["SD231"]
    made = [
        [
            one["image"].tolist()
            for one in safedata.load(spec(text, "image", IMAGE), allow=ALLOW, host="8GiB").as_numpy_iterator()
        ]
        for text in (entry, inside, same)
    ]
    assert made[0] == made[1] == made[2]
    assert made[0]
