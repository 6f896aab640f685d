from __future__ import annotations

from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from safedata.fields import Int, Share, Size, SizeOrShare, size_text
from safedata.memory import GIB
from safedata.problem import Problem
from safedata.spec.document import parse
from safedata.spec.output import OUTPUT
from safedata.spec.sections import Budget, OnError, Runtime
from safedata.spec.targets import TARGETS, Target
from safedata.spec.validation import problems_of


class Stage(BaseModel, extra="forbid", strict=True):
    """A model with a bit of everything."""

    size: Int = Field(gt=0, default=1)
    names: tuple[str, ...] = Field(strict=False, min_length=2, max_length=3, default=("a", "b"))
    rate: float = Field(default=0.5, lt=1, allow_inf_nan=False)
    text: str = ""
    bytes_: Size = Field(alias="bytes", default=1)
    parts: dict[str, int] = {}


def wrong(text: str) -> Problem:
    document = parse(f"steps: [{{stage: {text}}}]", "a.yaml")
    path = ("steps", 0, "stage")
    value = document.plain(path)
    with pytest.raises(ValidationError, match="Stage") as caught:
        Stage.model_validate(value if isinstance(value, dict) else {"size": value})
    (problem,) = problems_of(caught.value, document, path, Stage)
    return problem


@pytest.mark.parametrize(
    ("text", "code", "message", "way_out"),
    [
        ("{sise: 1}", "SD103", "`stage` has no key `sise`", "did you mean `size`?"),
        ("{size: x}", "SD105", "`size` takes a whole number, not `x`", "write a whole number"),
        ("x", "SD105", "`stage` takes a whole number, not `x`", "write a whole number"),
        ("{size: 1.5}", "SD105", "`size` takes a whole number, not `1.5`", "write a whole number"),
        ("{size: 0}", "SD105", "`size` takes a number above 0, not `0`", "write a number above 0"),
        ("{names: x}", "SD105", "`names` takes a list, not `x`", "write `[x]`"),
        ("{names: [x]}", "SD105", "`names` takes a list of at least 2 items, not a list", "add 1"),
        (
            "{names: [a, b, c, d, e]}",
            "SD105",
            "`names` takes a list of at most 3 items, not a list",
            "take 2 away",
        ),
        (
            "{names: [x, 1]}",
            "SD105",
            "`names` takes text in its list, not `1`",
            'write `"1"` if the text is meant',
        ),
        ("{rate: .inf}", "SD105", "`rate` takes a finite number, not `.inf`", "write a finite number"),
        ("{rate: 2.0}", "SD105", "`rate` takes a number below 1, not `2.0`", "write a number below 1"),
        ("{text: 5}", "SD105", "`text` takes text, not `5`", 'write `"5"` if the text is meant'),
        ("{text: }", "SD105", "`text` takes text, not nothing", "write text"),
        ("{bytes: 5}", "SD105", "`5` has no unit", "write `5 B` for bytes, or another unit: `4GiB`, `500MB`"),
        ("{parts: 5}", "SD105", "`parts` takes a mapping, not `5`", "write a mapping"),
        ("{parts: {a: {}}}", "SD105", "`a` takes a whole number, not a mapping", "write a whole number"),
    ],
)
def test_what_pydantic_refuses_is_said_in_our_words(text: str, code: str, message: str, way_out: str) -> None:
    """A refused value is shown as it was written, with what the field takes and one thing to do."""
    problem = wrong(text)
    assert (problem.code, problem.message, problem.help) == (code, message, way_out)


def test_a_short_form_is_underlined_itself() -> None:
    """Parts of a location that the document does not have are dropped."""
    problem = wrong("x")
    assert problem.span == parse("steps: [{stage: x}]", "a.yaml").span(("steps", 0, "stage"))


def test_sections_read_their_short_forms() -> None:
    """Sizes, shares and the forms of `on_error` become plain values."""
    budget = Budget.model_validate({"gpu": "50%", "host": "4GiB", "reserve": {"gpu": "1GiB"}})
    assert (budget.gpu, budget.host, budget.disk, budget.reserve.gpu) == (Share(50), 4 * GIB, None, GIB)
    target = Target.model_validate({"gpu": "40GiB", "host": "1GiB", "cpus": 2})
    assert (target.gpu, target.disk) == ((40 * GIB,), None)
    assert (
        TARGETS.validate_python({"a": {"gpu": ["1GiB", "2GiB"], "host": "1GiB", "cpus": 1}})["a"].gpu[1]
        == 2 * GIB
    )
    assert Runtime().on_error == OnError(mode="fail")
    assert Runtime.model_validate({"on_error": "skip"}).on_error == OnError(mode="skip", max=100)
    assert Runtime.model_validate({"on_error": {"skip": {"max": 20}}}).on_error == OnError(
        mode="skip", max=20
    )
    assert Runtime.model_validate({"seed": 1e3, "threads": 4}).seed == 1000
    assert OUTPUT.validate_python(["a", "b"]) == ("a", "b")
    assert OUTPUT.validate_python({"x": "a"}) == {"x": "a"}
    assert OUTPUT.validate_python([{"x": "a", "y": ["b"]}, "c"]) == ({"x": "a", "y": ("b",)}, "c")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("image", r"write `\[image\]`"),
        ([], "names no component"),
        ({"x": []}, "a part of `output` names no component"),
        (["a", [{"x": {}}]], "a part of `output` names no component"),
        (["a", [3]], "`3` is no name"),
        (7, "takes a list or a mapping"),
    ],
)
def test_output_names_components_one_by_one(value: Any, message: str) -> None:
    """`output` is a list or a mapping of names and of such structures, and no part of it is empty."""
    with pytest.raises(ValidationError, match=message):
        OUTPUT.validate_python(value)


@pytest.mark.parametrize(
    ("value", "message"), [("0%", "over 0%"), ("x%", "write a number and `%`"), (True, "a size")]
)
def test_a_share_is_over_nothing_and_at_most_all(value: object, message: str) -> None:
    """A share outside of 0 to 100 percent, and what is neither size nor share, is refused."""
    with pytest.raises(ValidationError, match=message):
        Budget.model_validate({"gpu": value})


def test_shares_round_down() -> None:
    """A share never allows more than its part."""
    assert Share(33.3).of(1000) == 333
    assert size_text(Share(50)) == "50%"
    assert size_text(4 * GIB) == "4.00 GiB"


def test_sizes_are_text_in_the_schema_and_when_written() -> None:
    """JSON Schema shows sizes as text with a pattern, and a model writes what it reads."""

    class Both(BaseModel):
        one: Size
        two: SizeOrShare

    schema = Both.model_json_schema()["properties"]
    assert schema["one"]["type"] == schema["two"]["type"] == "string"
    both = Both.model_validate({"one": "4 GiB", "two": "12.5%"})
    assert both.model_dump() == {"one": f"{4 * GIB}B", "two": "12.5%"}
    assert Both.model_validate(both.model_dump()) == both


def test_every_section_has_a_schema() -> None:
    """Editors get a schema of every section."""
    for model in (Budget, Target, Runtime):
        assert model.model_json_schema()["additionalProperties"] is False


class Pattern(BaseModel, extra="forbid", strict=True):
    """One member of a type that takes several things."""

    regex: str = Field(min_length=2)


class Labelled(BaseModel, extra="forbid", strict=True):
    """A field that takes a word, a mapping or nothing."""

    labels: Literal["directory", "none"] | Pattern | None = None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("{regex: a}", ["`regex` takes text of at least 2 characters, not `a`"]),
        ("{regex: 3}", ["`regex` takes text, not `3`"]),
        ("{regexp: ab}", ["`labels` needs `regex`", "`labels` has no key `regexp`"]),
        ("[1]", ["`labels` takes `directory` or `none` or a mapping, not a list"]),
        ("some", ["`labels` takes `directory` or `none` or a mapping, not `some`"]),
    ],
)
def test_what_is_wrong_inside_of_a_value_is_all_that_is_told(value: str, told: list[str]) -> None:
    """Where one member of a type takes a value and refuses what is in it, the others say nothing of it."""
    document = parse(f"source: {{labels: {value}}}", "a.yaml")
    with pytest.raises(ValidationError, match="Labelled") as caught:
        Labelled.model_validate(document.plain(("source",)))
    found = problems_of(caught.value, document, ("source",), Labelled)
    assert [one.message for one in found] == told
