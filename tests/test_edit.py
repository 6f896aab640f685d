"""A changed text differs from the old one in the changed piece, and in nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from safedata.change import Change, MoveOps, MoveStep, RemoveStep, SetField
from safedata.edit import EditError, edited

SPEC = """\
# A header.
safedata: 1
params: {n: 64,  m: 3}   # two
source: {range: 10}

steps:
# about the first
- map:
    image:   # a list
      - decode_image
      - {cast: float32}   # floats
      - rescale: [0, 1]
    label: [{one_hot: 5}]

  # about the shuffle,
  # in two lines
- shuffle: 20_000  # large
- shuffle:   {seed: 7, buffer: 5_0, }
- 'prefetch': 2
- prefetch
- prefetch:
- {map: {image: [{cast: float32}], label: "= label"}, parallel: 4}
- batch: "${n}"   # from above
- {name: late, map: {x: {cast: float32}}}

budget: {host: 50%}
"""


def change(text: str, *changes: Change, **overrides: object) -> str:
    return edited(text, "spec.yaml", "", changes, overrides).text


def lines(before: str, after: str) -> tuple[list[str], list[str]]:
    """Return the lines that are gone and those that are new."""
    old, new = before.splitlines(), after.splitlines()
    return [one for one in old if one not in new], [one for one in new if one not in old]


@pytest.mark.parametrize(
    ("one", "gone", "new"),
    [
        (SetField(1, "buffer", 1310), "- shuffle: 20_000  # large", "- shuffle: 1_310  # large"),
        (SetField(2, "buffer", 7), "- shuffle:   {seed: 7, buffer: 5_0, }", "- shuffle:   {seed: 7, buffer: 7, }"),
        (SetField(3, "buffer", 1), "- 'prefetch': 2", "- 'prefetch': 1"),
        (SetField(4, "buffer", 1), "- prefetch", "- prefetch: 1"),
        (SetField(5, "buffer", 1), "- prefetch:", "- prefetch: 1"),
        (SetField(0, "parallel", 2), None, "  parallel: 2"),
        (SetField(8, "parallel", 2), "- {name: late, map: {x: {cast: float32}}}",
         "- {name: late, map: {x: {cast: float32}}, parallel: 2}"),
        (SetField(6, "parallel", 2), "- {map: {image: [{cast: float32}], label: \"= label\"}, parallel: 4}",
         "- {map: {image: [{cast: float32}], label: \"= label\"}, parallel: 2}"),
        (SetField(7, "size", 9), "params: {n: 64,  m: 3}   # two", "params: {n: 9,  m: 3}   # two"),
        (RemoveStep(1), "- shuffle: 20_000  # large", None),
        (MoveOps(6, "image", 1, 7), "- {map: {image: [{cast: float32}], label: \"= label\"}, parallel: 4}",
         "- {map: {label: \"= label\"}, parallel: 4}"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_only_the_piece_that_changes_changes(
    one: Change, gone: str | None, new: str | None, newline: str
) -> None:
    """One line is another one; comments, quotes, blanks and the ends of lines stay."""
    before = SPEC.replace("\n", newline)
    after = change(before, one)
    was, now = lines(before, after)
    assert was == ([gone] if gone else [])
    assert now[:1] == ([new] if new else [])
    assert len(now) <= 2
    assert after.count("\r") == after.count("\n") * (newline == "\r\n")
    assert [one for one in after.splitlines() if one not in now] == [
        one for one in before.splitlines() if one != gone
    ]


def test_a_step_moves_with_the_comments_above_it() -> None:
    """Comments directly above a step, at its own indent, go where it goes."""
    after = change(
        SPEC.replace("  # about the shuffle,\n  # in", "# about the shuffle,\n# in"), MoveStep(1, 0)
    )
    assert (
        "steps:\n# about the shuffle,\n# in two lines\n- shuffle: 20_000  # large\n# about the first\n- map:\n"
        in after
    )


def test_a_step_moves_behind_others_too() -> None:
    """A step that moves to the end of the list comes behind all lines of the last one."""
    after = change(SPEC, MoveStep(3, 8))
    assert "- {name: late, map: {x: {cast: float32}}}\n- 'prefetch': 2\n\nbudget" in after


def test_operations_of_a_list_in_lines_move_into_a_map_of_their_own() -> None:
    """The operations keep their text; what is written in lines is put in brackets."""
    after = change(SPEC, MoveOps(0, "image", 2, 2, (("device", "gpu"),)))
    assert "      - decode_image\n    label: [{one_hot: 5}]\n" in after
    assert (
        "- shuffle: 20_000  # large\n- map: {image: [{cast: float32}, {rescale: [0, 1]}]}\n  device: gpu\n- shuffle:"
        in after
    )


def test_a_list_in_brackets_stays_in_brackets() -> None:
    """Steps on one line are moved, removed and inserted on that line."""
    head = "safedata: 1\nsource: {range: 3}\n"
    text = f"{head}steps: [{{map: {{x: [a, {{cast: float32}}]}}}}, {{shuffle: 5}},  prefetch]  # all\n"
    assert change(text, MoveStep(1, 0)).endswith(
        "steps: [{shuffle: 5}, {map: {x: [a, {cast: float32}]}},  prefetch]  # all\n"
    )
    assert change(text, RemoveStep(1)).endswith("[{map: {x: [a, {cast: float32}]}}, prefetch]  # all\n")
    assert change(text, RemoveStep(2)).endswith("{shuffle: 5}]  # all\n")
    assert change(text, SetField(2, "buffer", 1)).endswith("{shuffle: 5},  {prefetch: 1}]  # all\n")
    moved = change(text, MoveOps(0, "x", 1, 2))
    assert moved.endswith(
        "[{map: {x: [a]}}, {shuffle: 5}, {map: {x: [{cast: float32}]}},  prefetch]  # all\n"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("cache: memory  # kept", "cache: {path: cache/a}  # kept"),
        ("cache", "cache: {path: cache/a}"),
        ("cache:", "cache: {path: cache/a}"),
        ("{name: keep, cache: memory}", "{name: keep, cache: {path: cache/a}}"),
        ("cache: {max_bytes: 9GiB}", "cache: {max_bytes: 9GiB, path: cache/a}"),
    ],
)
def test_a_cache_gets_a_path_in_every_form(before: str, after: str) -> None:
    """A field that the short form does not set makes it the long one; what is as usual anyway is not written."""
    text = f"safedata: 1\nsource: {{range: 9}}\nsteps:\n  - {before}\n  - batch: 2\n"
    assert change(text, SetField(0, "path", "cache/a")) == text.replace(before, after, 1)


@pytest.mark.parametrize("one", [SetField(0, "buffer", 3), MoveStep(1, 0), MoveStep(0, 1), RemoveStep(1)])
def test_a_last_line_without_an_end_stays_without(one: Change) -> None:
    """No line break is added at the end of a file that has none."""
    text = "safedata: 1\nsource: {range: 3}\nsteps:\n  - shuffle: 5\n  - batch: 2"
    after = change(text, one)
    assert not after.endswith("\n")
    assert change(text + "\n", one) == after + "\n"


def test_several_changes_are_made_one_after_the_other() -> None:
    """Each change counts the steps as the one before has left them."""
    text = "safedata: 1\nsource: {range: 3}\nsteps:\n  - shuffle: 5\n  - batch: 2\n"
    after = change(text, MoveStep(0, 1), SetField(0, "size", 3), SetField(1, "buffer", 4))
    assert after.endswith("steps:\n  - batch: 3\n  - shuffle: 4\n")


def test_a_number_given_on_the_command_line_is_not_in_the_text() -> None:
    """A parameter that the caller has set is refused, with the flag to give instead."""
    with pytest.raises(EditError, match="the number comes from `--set n=8`") as raised:
        change(SPEC, SetField(7, "size", 4), n=8)
    assert raised.value.help == "say `--set n=4`"


@pytest.mark.parametrize(
    ("steps", "one"),
    [
        ("[{shuffle: &b 5}, {prefetch: *b}]", SetField(0, "buffer", 3)),
        ("[&s {shuffle: 5}, *s]", SetField(1, "buffer", 3)),
        ("[{batch: &b 5}, unbatch, &s {batch: *b}, *s]", SetField(3, "size", 3)),
        ("[&s {shuffle: 5}, *s]", MoveStep(1, 0)),
    ],
)
def test_what_counts_in_several_places_is_left_alone(steps: str, one: Change) -> None:
    """A value behind an anchor that is named elsewhere is not changed for all of them."""
    with pytest.raises(EditError, match=r"an anchor makes this count in \d places"):
        change(f"safedata: 1\nsource: {{range: 3}}\nsteps: {steps}\n", one)


@pytest.mark.parametrize(
    ("steps", "changes", "after"),
    [
        ("[{shuffle: &b 5}, {prefetch: *b}]", [SetField(1, "buffer", 3)], "[{shuffle: &b 5}, {prefetch: 3}]"),
        ("[{shuffle: &b 5}, {prefetch: *b}]", [SetField(0, "buffer", 4), SetField(1, "buffer", 3)],
         "[{shuffle: &b 4}, {prefetch: 3}]"),
        ("[{batch: &b {size: 7, drop_remainder: true}}, unbatch, {batch: *b}]", [SetField(2, "size", 3)],
         "[{batch: &b {size: 7, drop_remainder: true}}, unbatch, {batch: {size: 3, drop_remainder: true}}]"),
        ("[{map: &m {x: = 1}, parallel: &p 4}, {map: *m, parallel: *p}]", [SetField(1, "parallel", 2)],
         "[{map: &m {x: = 1}, parallel: &p 4}, {map: *m, parallel: 2}]"),
    ],
)  # fmt: skip
def test_an_alias_is_written_out_where_it_changes(steps: str, changes: list[Change], after: str) -> None:
    """The anchor keeps its value for all others, or changes alone once no alias is left."""
    head = "safedata: 1\nsource: {range: 3}\nsteps: "
    assert change(f"{head}{steps}\n", *changes) == f"{head}{after}\n"


@pytest.mark.parametrize(
    ("changes", "after"),
    [
        ([SetField(1, "size", 3)], 'params: {n: 8}\nsteps: [{shuffle: "${n}"}, {batch: 3}]\n'),
        ([SetField(0, "buffer", 4), SetField(1, "size", 3)], "params: {n: 8}\nsteps: [{shuffle: 4}, {batch: 3}]\n"),
        ([SetField(0, "buffer", 3), SetField(1, "size", 3)],
         'params: {n: 3}\nsteps: [{shuffle: "${n}"}, {batch: "${n}"}]\n'),
        ([MoveStep(1, 0), SetField(0, "size", 3)], 'params: {n: 8}\nsteps: [{batch: 3}, {shuffle: "${n}"}]\n'),
    ],
)  # fmt: skip
def test_a_parameter_of_several_values_changes_only_with_all_of_them(
    changes: list[Change], after: str
) -> None:
    """A number is written out where another value that names its parameter stays as it is, and a note says so."""
    text = 'params: {n: 8}\nsteps: [{shuffle: "${n}"}, {batch: "${n}"}]\n'
    found = edited(text, "spec.yaml", "", changes, {})
    assert found.text == after
    kept = "written in place of `${n}`, which other values name too and which stays"
    assert (kept in found.notes) == ("n: 8" in after)


def test_an_anchor_that_nothing_names_stays() -> None:
    """A value behind an anchor of its own is changed behind it."""
    assert change("steps: [{shuffle: &b 5}]\n", SetField(0, "buffer", 3)) == "steps: [{shuffle: &b 3}]\n"


BASE = """\
safedata: 1
params: {n: 64}
source: {range: 3}
steps:
  - {name: mix, shuffle: {buffer: 5000, seed: 3}}
  - {name: gather, batch: "${n}"}
  - prefetch: 2
"""


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A folder with a spec to extend."""
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    return str(tmp_path)


@pytest.mark.parametrize(
    ("rest", "one", "after"),
    [
        ("", SetField(0, "buffer", 7), "steps:\n  - {name: mix, shuffle: {buffer: 7, seed: 3}}\n"),
        ("steps:\n  - {name: gather, batch: 3}\n", SetField(0, "buffer", 7),
         "steps:\n  - {name: gather, batch: 3}\n  - {name: mix, shuffle: {buffer: 7, seed: 3}}\n"),
        ("steps:\n  - {name: gather, batch: 3}\n", SetField(1, "size", 2), "steps:\n  - {name: gather, batch: 2}\n"),
        ("params: {n: 32}\n", SetField(1, "size", 2), "params: {n: 2}\n"),
    ],
)  # fmt: skip
def test_a_step_of_an_extended_spec_is_changed_by_its_name(
    folder: str, rest: str, one: Change, after: str
) -> None:
    """The base stays as it is; the spec that extends it says the step again, or the parameter."""
    head = "safedata: 1\nextends: base.yaml\n"
    assert edited(head + rest, "spec.yaml", folder, [one], {}).text == head + after


def test_a_parameter_of_an_extended_spec_gets_a_default_here(folder: str) -> None:
    """The spec that extends another gives its parameter another default, and the edit says whose number it is."""
    found = edited(
        "safedata: 1\nextends: base.yaml   # below\n", "spec.yaml", folder, [SetField(1, "size", 2)], {}
    )
    assert found.text == "safedata: 1\nextends: base.yaml   # below\nparams: {n: 2}\n"
    assert found.notes == ("the number is the default of the parameter `n`, which one value names",)


@pytest.mark.parametrize("one", [SetField(2, "buffer", 1), MoveStep(1, 0), RemoveStep(0)])
def test_a_step_without_a_name_belongs_to_its_file(folder: str, one: Change) -> None:
    """What cannot be said in the spec that extends is refused, with the file where it stands."""
    with pytest.raises(EditError, match=r"this stands in `.*base\.yaml`, which the spec extends"):
        edited("safedata: 1\nextends: base.yaml\n", "spec.yaml", folder, [one], {})
