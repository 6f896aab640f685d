"""`zip`, `concatenate` and `mix`: pipelines as inputs of one."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import safedata
from safedata.compile import compile_plan
from safedata.memory import HOST

PAIR = "a: {source: {range: 6}, steps: [%s]}, b: {source: {range: 6}, steps: [%s]}"
DRAWS = "map: {value: [{cast: float32}, {reshape: [1, 1, 1]}, {random_brightness: 3}]}"


def spec(source: str, *steps: str, more: str = "") -> str:
    return (
        f"safedata: 1\nsource: {{{source}}}\nsteps: [{', '.join('{' + one + '}' for one in steps)}]\n{more}"
    )


def checked(text: str) -> Any:
    verdict = safedata.check(text)
    assert verdict.plan is not None, verdict.problems
    assert verdict.fits, verdict.problems
    return verdict


def problem(text: str, code: str) -> Any:
    [found] = [one for one in safedata.check(text).problems if one.code == code]
    return found


def rows(text: str, epochs: int = 1) -> list[Any]:
    """Return the elements of each epoch, held against the type and the number of the plan."""
    plan = checked(text).plan
    dataset = compile_plan(plan).dataset
    found = [[{name: one.numpy() for name, one in row.items()} for row in dataset] for _ in range(epochs)]
    most, kind = plan.result.cardinality.count, plan.result.cardinality.kind
    for epoch in found:
        assert most is None or (len(epoch) == most if kind == "exactly" else len(epoch) <= most)
    return found


def values(text: str) -> list[int]:
    return [int(row["value"]) for row in rows(text)[0]]


@pytest.mark.tf
def test_zip_merges_components_up_to_the_shortest_end(tf: Any) -> None:
    """An element of `zip` has every input's components at the same place, as many as the shortest input has."""
    renamed = "b: {source: {range: 9}, steps: [{rename: {value: other}}]}"
    [found] = rows(spec(f"zip: {{a: {{range: 4}}, {renamed}}}"))
    assert [(int(row["value"]), int(row["other"])) for row in found] == [(n, n) for n in range(4)]


@pytest.mark.tf
def test_prefix_names_components_by_their_input(tf: Any) -> None:
    """With `prefix` two inputs may have the same components, and steps behind use the long names."""
    text = spec(
        "zip: {inputs: {a: {range: 3}, b: {range: 3}}, prefix: true}", "map: {sum: = a_value + b_value}"
    )
    assert [int(row["sum"]) for row in rows(text)[0]] == [0, 2, 4]


@pytest.mark.tf
def test_concatenate_keeps_the_order_of_inputs_and_elements(tf: Any) -> None:
    """The elements of each input follow those of the one before, and inputs may be combinators themselves."""
    assert values(spec("concatenate: [{range: 2}, {concatenate: {x: {range: 1}, y: {range: 3}}}]")) == [
        0,
        1,
        0,
        0,
        1,
        2,
    ]


@pytest.mark.tf
def test_mix_gives_every_element_once_by_its_weights(tf: Any) -> None:
    """A mix has all elements of all inputs, drawn in proportion to the weights while both last."""
    pair = "few: {range: 300}, many: {source: {range: 900}, steps: [{map: {value: = value + 1000}}]}"
    found = values(spec(f"mix: {{inputs: {{{pair}}}, weights: {{few: 1, many: 3}}}}"))
    assert Counter(found) == Counter([*range(300), *range(1000, 1900)])
    assert 60 <= sum(value < 1000 for value in found[:400]) <= 140
    assert [value for value in found if value < 1000] == list(range(300))


@pytest.mark.tf
def test_mix_can_end_with_its_first_input(tf: Any) -> None:
    """With `stop_on_empty` the mix ends where the next draw finds nothing, so it has fewer elements."""
    text = spec("mix: {inputs: [{range: 5}, {range: 5000}], stop_on_empty: true}")
    assert checked(text).plan.result.cardinality.kind == "at most"
    assert 5 <= len(values(text)) < 100


@pytest.mark.tf
def test_mix_draws_anew_in_each_epoch_and_alike_in_each_run(tf: Any) -> None:
    """The order of a mix is another one in the second epoch, and both are the same when they are made again."""
    text = spec("mix: [{range: 30}, {source: {range: 30}, steps: [{map: {value: = value + 100}}]}]")
    first, second = ([int(row["value"]) for row in epoch] for epoch in rows(text, epochs=2))
    assert first != second
    assert [[int(row["value"]) for row in epoch] for epoch in rows(text, epochs=2)] == [first, second]


@pytest.mark.tf
def test_types_join_and_are_tensorflows(tf: Any) -> None:
    """Where sizes differ the type holds for all inputs, and TensorFlow shows the same one."""
    sizes = [
        f'{{synthetic: {{components: {{x: "float32[{size}, 3]"}}, count: 2}}}}' for size in ("4", "7", "<=5")
    ]
    for source in (f"concatenate: [{', '.join(sizes)}]", f"mix: [{', '.join(sizes)}]"):
        plan = checked(spec(source)).plan
        assert str(plan.result.element["x"]) == "float32[<=7, 3]"
        dataset = compile_plan(plan).dataset
        assert dataset.element_spec["x"].shape.as_list() == [None, 3]
        assert all(row["x"].shape[0] <= 7 for row in dataset)


@pytest.mark.tf
def test_inputs_draw_apart(tf: Any) -> None:
    """The same step draws differently in two inputs, anew in each epoch, and alike in another run."""
    inside = rows(spec(f"concatenate: {{{PAIR % ('{' + DRAWS + '}', '{' + DRAWS + '}')}}}"), epochs=2)
    behind = rows(spec(f"concatenate: {{{PAIR % ('', '')}}}", DRAWS), epochs=2)
    for found in (inside, behind):
        draws = [row["value"].item() for epoch in found for row in epoch]
        assert len(set(draws)) == len(draws) == 24
    again = rows(spec(f"concatenate: {{{PAIR % ('{' + DRAWS + '}', '{' + DRAWS + '}')}}}"), epochs=2)
    assert again == inside


@pytest.mark.tf
def test_a_draw_belongs_to_its_element(tf: Any) -> None:
    """Behind a mix an element's draw is the same whatever the weights and whenever it comes."""

    def drawn(weights: str) -> set[tuple[int, float]]:
        text = spec(
            f"mix: {{inputs: {{{PAIR % ('', '{map: {value: = value + 100}}')}}}, weights: {weights}}}",
            "map: {x: [{from: value}, {cast: float32}, {reshape: [1, 1, 1]}, {random_brightness: 3}]}",
        )
        return {(int(row["value"]), row["x"].item()) for row in rows(text)[0]}

    assert drawn("[1, 1]") == drawn("[1, 9]")


@pytest.mark.tf
def test_epochs_go_on_behind_a_cache_of_an_input(tf: Any) -> None:
    """A cache in an input freezes what stands before it; a draw behind the combinator is another one each epoch."""
    first, second = rows(spec(f"concatenate: {{{PAIR % ('cache', '')}}}", DRAWS), epochs=2)
    assert not {row["value"].item() for row in first} & {row["value"].item() for row in second}


@pytest.mark.parametrize(
    ("source", "code", "message", "underlined", "way_out"),
    [
        (
            "zip: {a: {range: 3}, b: {range: 3}}",
            "SD223",
            "`b` and `a` both have a component `value`",
            "b",
            "in `b`, write `steps: [{drop: value}]`, or `rename` it; or `prefix: true` beside `inputs`",
        ),
        (
            "mix: {a: {range: 3}, b: {source: {range: 3}, steps: [{rename: {value: x}}]}}",
            "SD221",
            "the input `b` has `x` where `a` has `value`",
            "b",
            "in `b`, write `steps: [{rename: {x: value}}]`",
        ),
        (
            "concatenate: {a: {range: 3}, b: {source: {range: 3}, steps: [{map: {value: [{cast: float32}]}}]}}",
            "SD222",
            "`value` is float32[] in `b` and int64[] in `a`",
            "b",
            "cast it in `b`: `- map: {value: [{cast: int64}]}`",
        ),
        (
            "zip: {inputs: {a: {range: 3}, b: {source: {range: 3}, steps: [{batch: 2}]}}, prefix: true}",
            "SD222",
            "`b` gives batches, and `a` single elements",
            "b",
            "batch behind `zip`, in no input",
        ),
        (
            "concatenate: {a: {source: {range: 3}, steps: [repeat]}, b: {range: 3}}",
            "SD225",
            "`a` has no end, so `b` behind it is never reached",
            "a",
            "give its `repeat` a number, or end it with `take`; `mix` takes turns",
        ),
        (
            "mix: {inputs: {a: {range: 3}, b: {range: 3}}, weights: {a: 1}}",
            "SD104",
            "`weights` has none for `b`",
            "weights",
            "add `b: ...`, or leave all out",
        ),
        (
            "mix: {inputs: {few: {range: 3}, b: {range: 3}}, weights: {fw: 1, b: 2}}",
            "SD103",
            "there is no input `fw` to weigh",
            "fw",
            "did you mean `few`?",
        ),
        (
            "zip: {a: {range: 3}, b: {steps: []}}",
            "SD104",
            "the input `b` names no source",
            "b",
            "write `b: {source: {files: {path: ...}}}`, with `steps` behind the source where it has some",
        ),
        (
            "mix: {a: {range: 3}, weights: [1]}",
            "SD105",
            "an input of `mix` is a source with its steps, not a list",
            "weights",
            "write the inputs below `inputs:`, with `weights` beside it",
        ),
        (
            "zip: {a: {source: {range: 3}, output: [value]}}",
            "SD103",
            "an input has no key `output`",
            "output",
            "an input has `source` and `steps`; everything else belongs to the spec",
        ),
        (
            "zip: {a: {source: {range: 3}, steps: [{map: {value: [lower]}}]}}",
            "SD202",
            "`lower` takes string, and this component is int64[]",
            "lower",
            None,
        ),
    ],
)
def test_what_does_not_fit_is_named_where_it_stands(
    source: str, code: str, message: str, underlined: str, way_out: str | None
) -> None:
    """A problem of inputs has its own code, the place of the input or step, and one thing to do."""
    found = problem(spec(source), code)
    assert found.message == message
    line = spec(source).splitlines()[found.span.line - 1]
    assert line[found.span.column - 1 : found.span.end_column - 1] == underlined
    assert way_out is None or found.help == way_out


def test_problems_of_all_inputs_are_said_at_once(tmp_path: Path) -> None:
    """Data that is missing in two inputs is two problems, each at its own path."""
    verdict = safedata.check(spec("concatenate: [{text: no.txt}, {text: nor.txt}]"), folder=tmp_path)
    assert [one.code for one in verdict.problems] == ["SD401", "SD401"]
    assert len({one.span for one in verdict.problems}) == 2


def test_every_inputs_steps_are_counted_and_named() -> None:
    """The verdict has the holds of each input's own steps, under its name, and a peak that is their sum and more."""
    buffer = "{source: {synthetic: {components: {x: 'uint8[1000]'}, count: 5000}}, steps: [{shuffle: 1000}]}"
    one, two = (checked(spec(f"mix: [{', '.join([buffer] * number)}]")) for number in (1, 2))
    titles = [step.title for step in two.plan.steps]
    assert titles == ["1: synthetic", "1: shuffle", "2: synthetic", "2: shuffle", "mix", "output"]
    assert two.places[HOST].bytes - one.places[HOST].bytes > 1_000_000
    held = [
        sum(hold.bytes for hold in step.holds) for step in two.plan.steps if step.title.endswith("shuffle")
    ]
    assert held[0] == held[1] > 1_000_000


def test_the_fingerprint_covers_every_input(tmp_path: Path) -> None:
    """Another file in any input is another fingerprint."""
    (tmp_path / "a.txt").write_text("one\n")
    (tmp_path / "b.txt").write_text("two\n")
    text = spec("concatenate: [{text: a.txt}, {text: b.txt}]")
    before = safedata.check(text, folder=tmp_path).plan
    (tmp_path / "b.txt").write_text("three\n")
    after = safedata.check(text, folder=tmp_path).plan
    assert before is not None
    assert after is not None
    assert before.inspected.fingerprint != after.inspected.fingerprint
    assert len(after.inspected.files) == 2


@pytest.fixture
def damaged(tmp_path: Path) -> Path:
    """Two folders of numbers as text files of three bytes, of which `a/2` and `b/4` are longer than that by now."""
    for folder in "ab":
        (tmp_path / folder).mkdir()
        for number in range(6):
            (tmp_path / folder / f"{number}.txt").write_text(f"{folder}{number}!")
    return tmp_path


def damage(folder: Path) -> None:
    (folder / "a" / "2.txt").write_text("too long by now")
    (folder / "b" / "4.txt").write_text("too long by now")


SKIP = "runtime: {on_error: skip}\n"


@pytest.mark.tf
@pytest.mark.parametrize("kind", ["concatenate", "mix"])
def test_a_bad_element_of_an_input_is_left_out_and_named(tf: Any, damaged: Path, kind: str) -> None:
    """Under `on_error: skip` the others of all inputs come, and what is left out is named with its input."""
    text = spec(f"{kind}: {{x: {{files: a/*.txt}}, y: {{files: b/*.txt}}}}", more=SKIP)
    verdict = safedata.check(text, folder=damaged)
    damage(damaged)
    compiled = compile_plan(verdict.plan)  # type: ignore[arg-type]  # the assertion below would not hold for None
    assert len(list(compiled.dataset)) == 10
    assert sorted(compiled.skips.described()) == [f"x: {damaged}/a/2.txt", f"y: {damaged}/b/4.txt"]


PAIRS = """zip:
  one: {source: {files: a/*.txt}, steps: [{rename: {data: left}}, {drop: path}, {shuffle: {buffer: 6, seed: 4}}]}
  two:
    zip:
      inner:
        source: {files: b/*.txt}
        steps: [{map: {data: [lower]}}, {drop: path}, cache, {shuffle: {buffer: 6, seed: 4}}]
"""


@pytest.mark.tf
def test_zip_keeps_partners_together_where_one_is_bad(tf: Any, damaged: Path) -> None:
    """A pair with an unreadable part is left out whole, named by that part, and no other pair is torn apart."""
    text = f"safedata: 1\nsource:\n  {PAIRS.replace(chr(10), chr(10) + '  ')}\n{SKIP}"
    verdict = safedata.check(text, folder=damaged)
    assert verdict.fits, verdict.problems
    damage(damaged)
    compiled = compile_plan(verdict.plan)  # type: ignore[arg-type]  # it fits, so there is a plan
    pairs = [(row["left"].numpy().decode(), row["data"].numpy().decode()) for row in compiled.dataset]
    assert sorted(pairs) == [(f"a{n}!", f"b{n}!") for n in (0, 1, 3, 5)]
    assert sorted(compiled.skips.described()) == [f"one: {damaged}/a/2.txt", f"two: inner: {damaged}/b/4.txt"]


@pytest.mark.parametrize("step", ["batch: 2", "filter: length(data) > 2", "unbatch: "])
def test_a_step_that_breaks_up_pairs_is_refused(damaged: Path, step: str) -> None:
    """Where an input of `zip` may lose elements, a step that cannot keep a stand-in in its place is an error."""
    inner = f"{{source: {{files: a/*.txt}}, steps: [{{{step}}}]}}"
    other = "{source: {range: 6}, steps: [{batch: 2}]}" if step == "batch: 2" else "{range: 6}"
    text = spec(f"zip: {{x: {inner}, y: {other}}}", more=SKIP)
    [found] = [one for one in safedata.check(text, folder=damaged).problems if one.severity == "error"][:1]
    assert (found.code, f"`{step.split(':')[0]}` is a step of `x`" in found.message) in (
        ("SD224", True),
        ("SD207", False),
    )


def test_a_step_of_an_input_stays_on_the_cpu() -> None:
    """A step of an input cannot run on a GPU, since the combinator takes its elements on the host."""
    step = "{map: {value: [{cast: float32}]}, device: gpu}"
    found = problem(spec(f"mix: [{{source: {{range: 4}}, steps: [{step}]}}]"), "SD213")
    assert found.message == "`map` is a step of the input `1`, and inputs run on the CPU"


def test_measure_reads_what_any_input_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be measured is that of all inputs together."""
    from safedata.sources.lines import text as module

    monkeypatch.setattr(module, "WHOLE", 10)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text("line\n" * 9)
    text = spec("concatenate: [{text: a.txt}, {text: b.txt}]")
    assert len(safedata.measure(text, folder=tmp_path).measured) == 2


def test_a_mistake_of_an_input_is_found_in_it() -> None:
    """A cache of what was drawn is a mistake in an input as it is anywhere, named at its line and said once."""
    images = 'synthetic: {components: {image: "uint8[8, 8, 3]"}, count: 100}'
    drawn = f"{{source: {{{images}}}, steps: [{{map: {{image: [random_flip_left_right]}}}}, cache, {{shuffle: 100}}]}}"
    other = f"{{{images}}}"
    verdict = safedata.check(
        spec(f"mix: {{a: {drawn}, b: {other}, c: {other}}}", "batch: 4", "shuffle: 10", "prefetch: 2")
    )
    assert [one.code for one in verdict.problems] == ["SD601", "SD607"]
    assert verdict.problems[0].span is not None
    assert verdict.problems[0].span.line == 2


def test_a_spec_over_its_budget_says_what_the_inputs_hold() -> None:
    """Where the buffers of inputs are too large, no number behind them helps, and the help says how much they hold."""
    images = 'synthetic: {components: {image: "uint8[64, 64, 3]"}, count: 100_000}'
    text = spec(f"concatenate: [{{source: {{{images}}}, steps: [{{shuffle: 50_000}}]}}]", "batch: 4")
    found = [one for one in safedata.check(text, host="1GiB").problems if one.code == "SD301"]
    assert len(found) == 1
    assert found[0].help is not None
    assert "of which the inputs hold 1.0" in found[0].help
    assert "make their buffers smaller" in found[0].help


@pytest.mark.tf
def test_a_profile_tells_inputs_apart(tf: Any) -> None:
    """What TensorFlow says of the steps of each input is booked under that input, whatever the others do."""
    few = "{source: {range: 1000}, steps: [{shuffle: 10}, {take: 4}, {repeat: 500}]}"
    text = spec(
        f"mix: {{few: {few}, many: {{source: {{range: 1000}}, steps: [{{shuffle: 700}}, {{take: 900}}]}}}}",
        "batch: 10",
    )
    found = safedata.profile(text, batches=30, warmup=0)
    buffered = {step.title: one.buffered for step, one in zip(found.plan.steps, found.steps, strict=True)}
    assert 0 < buffered["few: shuffle"] <= 10
    assert 300 < buffered["many: shuffle"] <= 700
