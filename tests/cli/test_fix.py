from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from safedata import mend, request

if TYPE_CHECKING:
    from tests.cli.conftest import Command

SPEC = """\
# Numbers, \N{GREEK SMALL LETTER PI} of them.
safedata: 1
source: {synthetic: {components: {x: "float32[1000]"}, count: 900_000}}
steps:
  - shuffle: 400_000    # large
  - batch: 64
targets: {small: {host: 1GiB, cpus: 4}}
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec whose shuffle is too large for the machine `small`."""
    monkeypatch.chdir(tmp_path)
    path = Path("spec.yaml")
    path.write_bytes(SPEC.encode())
    return path


def test_a_fix_is_written_and_the_rest_stays(run: Command, spec: Path) -> None:
    """One number changes; the change is shown, and the verdict is that of the new file."""
    ran = run("check", "--fix", spec, "--target", "small")
    assert ran.status == 0
    assert ran.out.startswith("spec.yaml: fits")
    after = spec.read_text(encoding="utf-8")
    number = after.split("shuffle: ")[1].split(" ")[0]
    assert after == SPEC.replace("400_000", number)
    assert f"-  - shuffle: 400_000    # large\n+  - shuffle: {number}    # large\n" in ran.err
    assert f"`shuffle: {number.replace('_', '')}` written; cost: shuffles less well: among" in ran.err
    assert run("check", spec, "--target", "small").status == 0


def test_the_chosen_fix_is_written(run: Command, spec: Path) -> None:
    """`--fix 2` writes the second of the fixes, in their order in the data."""
    spec.write_text(
        SPEC.replace("targets", "  - prefetch: 90_000\ntargets").replace("400_000", "1000"), encoding="utf-8"
    )
    found: Any = json.loads(run("check", spec, "--host", "2GiB", "--format", "json").out)
    fixes = next(one["fixes"] for one in found["problems"] if one["fixes"])
    assert len(fixes) > 1
    ran = run("check", spec, "--host", "2GiB", "--fix", "2")
    assert ran.status == 0
    assert f"spec.yaml: {fixes[1]['change']} written" in ran.err


def test_bytes_before_and_after_the_text_stay(run: Command, spec: Path) -> None:
    """A byte order mark, line ends, and the lack of a last one are as they were."""
    spec.write_bytes(b"\xef\xbb\xbf" + SPEC.rstrip("\n").replace("\n", "\r\n").encode())
    before = spec.read_bytes()
    assert run("check", spec, "--fix", "--target", "small").status == 0
    after = spec.read_bytes()
    assert after.startswith(b"\xef\xbb\xbf# Numbers")
    assert after.count(b"\r\n") == before.count(b"\r\n") == after.count(b"\n")
    assert not after.endswith(b"\n")


def test_links_are_followed_and_the_mode_is_kept(run: Command, spec: Path, tmp_path: Path) -> None:
    """A link stays a link, and the file behind it keeps its mode; nothing else is left in the folder."""
    (tmp_path / "real").mkdir()
    real = tmp_path / "real" / "it.yaml"
    os.replace(spec, real)
    real.chmod(0o640)
    spec.symlink_to(real)
    assert run("check", spec, "--fix", "--target", "small").status == 0
    assert spec.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "400_000" not in real.read_text(encoding="utf-8")
    assert list((tmp_path / "real").iterdir()) == [real]


def test_a_spec_that_fits_is_left_alone(run: Command, spec: Path) -> None:
    """There is nothing to fix, and it says so."""
    ran = run("check", spec, "--fix", "--host", "64GiB")
    assert ran.status == 0
    assert "spec.yaml: nothing to fix, it fits" in ran.err
    assert spec.read_bytes() == SPEC.encode()


def test_other_problems_come_first(run: Command, spec: Path) -> None:
    """A spec with a problem beside its budget is not touched."""
    text = SPEC.replace("  - batch: 64", "  - batch: 64\n  - map: {y: '= z'}")
    spec.write_text(text, encoding="utf-8")
    ran = run("check", spec, "--fix", "--target", "small")
    assert ran.status == 1
    assert "it has problems beside its budget, which come first" in ran.err
    assert spec.read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("change", "flags", "message"),
    [
        (("400_000", "&a 400_000"), (), ""),
        (
            ("400_000    # large\n", "&a 400_000\n  - take: *a\n"),
            (),
            "an anchor makes this count in 2 places",
        ),
        (("400_000", '"${n}"'), ("--set", "n=400000"), "the number comes from `--set n=400000`"),
    ],
)
def test_what_cannot_be_written_is_refused(
    run: Command, spec: Path, change: tuple[str, str], flags: tuple[str, ...], message: str
) -> None:
    """The reason is given with its place, and the file stays."""
    text = SPEC.replace(*change).replace("source:", "params: {n: 5}\nsource:" if flags else "source:")
    spec.write_text(text, encoding="utf-8")
    ran = run("check", spec, "--fix", "--target", "small", *flags)
    assert ran.status == (1 if message else 0)
    if message:
        assert f"error[SD330]: the fix cannot be written into the spec: {message}" in ran.err
        assert spec.read_text(encoding="utf-8") == text


def test_a_parameter_changes_at_its_default(run: Command, spec: Path) -> None:
    """A number that comes from a parameter is changed there, and it says so."""
    spec.write_text(
        SPEC.replace("400_000", '"${n}"').replace("source", "params: {n: 400_000}\nsource", 1),
        encoding="utf-8",
    )
    ran = run("check", spec, "--fix", "--target", "small")
    assert ran.status == 0
    assert "spec.yaml: the number is the default of the parameter `n`, which one value names" in ran.err
    assert 'shuffle: "${n}"    # large' in spec.read_text(encoding="utf-8")


def test_there_are_only_so_many_fixes(run: Command, spec: Path) -> None:
    """A number beyond the last fix is said to be one."""
    ran = run("check", spec, "--fix", "99", "--target", "small")
    assert ran.status == 1
    assert "there is no fix 99, only" in ran.err
    assert spec.read_bytes() == SPEC.encode()


@pytest.mark.parametrize(
    "flags", [("--fix", "0"), ("--fix", "1", "--together"), ("--fix", "-1"), ("--fix", "1.5")]
)
def test_a_fix_is_counted_from_1_and_of_one_spec(run: Command, spec: Path, flags: tuple[str, ...]) -> None:
    """What `--fix` cannot mean is a wrong command line."""
    assert run("check", spec, *flags, "--target", "small").status == 2
    assert spec.read_bytes() == SPEC.encode()


def test_a_file_that_has_changed_meanwhile_is_left_alone(
    run: Command, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What somebody else has written since the check is never lost."""
    real = mend.checked_text

    def changes(*args: Any) -> Any:
        spec.write_text("safedata: 1\n", encoding="utf-8")
        return real(*args)

    monkeypatch.setattr(mend, "checked_text", changes)
    ran = run("check", spec, "--fix", "--target", "small")
    assert "the fix cannot be written into `spec.yaml`: it has changed since it was read" in ran.err
    assert spec.read_text(encoding="utf-8") == "safedata: 1\n"


@pytest.mark.parametrize("at", ["check_request", "checked_text"])
def test_an_interrupt_leaves_the_old_file(
    run: Command, spec: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    """Ctrl-C before the new file is found good leaves the old one, and nothing beside it."""

    def stop(*args: Any) -> Any:
        if at == "check_request" and isinstance(args[0], str):
            return real(*args)
        raise KeyboardInterrupt

    real = request.check_request
    monkeypatch.setattr(mend, at, stop)
    assert run("check", spec, "--fix", "--target", "small").status == 130
    assert spec.read_bytes() == SPEC.encode()
    assert [one.name for one in Path().iterdir()] == ["spec.yaml"]
