"""The documentation says what the code does."""

from __future__ import annotations

import linecache
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import safedata
from safedata.lowering import Call
from safedata.types import Dim, Tensor, ValueRange, image

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_reference_pages_are_fresh() -> None:
    """The generated pages are those that the code gives now."""
    made = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "make_reference.py"), "--check"],
        check=False,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert made.returncode == 0, made.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link names a file that is there."""
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize(
    "page", [one for one in PAGES if one.name != "errors.md"], ids=lambda page: page.name
)
def test_yaml_blocks_are_yaml(page: Path) -> None:
    """Every YAML fragment can be read, but for those that show an error."""
    for block in blocks(page, "yaml"):
        yaml.safe_load(block)


def test_the_readmes_spec_fits() -> None:
    """The spec that the README shows is sound, over the shipped photographs."""
    [spec] = blocks(ROOT / "README.md", "yaml")
    verdict = safedata.check(spec, folder=ROOT / "specs", host="8GiB")
    assert verdict.fits, verdict.problems


@pytest.mark.tf
def test_the_example_of_a_new_operation_works(tf: ModuleType) -> None:
    """The operation that `adding-an-op.md` shows does what it says."""
    [code] = blocks(ROOT / "docs" / "adding-an-op.md", "python")
    names: dict[str, Any] = {"__name__": "safedata.ops.image.invert"}
    exec(compile(code, "adding-an-op.md", "exec", dont_inherit=True), names)
    made = names["Invert"]()
    x = image(Dim.exactly(1), Dim.exactly(2), 1)
    assert made.infer(x) == x
    out = made.lower(tf.constant([[[0], [200]]], tf.uint8), Call(tf, x, x))
    assert out.numpy().ravel().tolist() == [255, 55]
    assert Tensor("uint8").range is None
    assert x.range == ValueRange(0, 255)


@pytest.mark.tf
def test_an_operation_of_your_own_works(tf: ModuleType) -> None:
    """The operation that `your-own-op.md` shows holds what is asked of every operation, by the test shown there."""
    from safedata import registry

    page = ROOT / "docs" / "your-own-op.md"
    names: dict[str, Any] = {"__name__": "acme.ops"}
    try:
        code, tests = blocks(page, "python")
        module = ROOT / "docs" / "your-own-op.md.py"
        linecache.cache[str(module)] = (len(code), None, code.splitlines(keepends=True), str(module))
        sys.modules["acme.ops"] = made = ModuleType("acme.ops")
        made.__file__ = str(module)
        exec(compile(code, str(module), "exec", dont_inherit=True), names)
        exec(compile(tests, "your-own-op.md", "exec", dont_inherit=True), names)
        names["test_random_fog"]()
        verdict = safedata.check(
            "safedata: 1\nsource: {synthetic: {components: {image: {type: 'float32[4, 4, 3]', range: [0, 1]}}, "
            "count: 3}}\nsteps: [{map: {image: [{random_fog: 0.5}]}}]\n"
        )
        assert not [one for one in verdict.problems if one.severity == "error"]
    finally:
        registry.registered.pop("random_fog", None)
        sys.modules.pop("acme.ops", None)


def test_readme_names_every_command() -> None:
    """Each command of the parser stands in the README's table."""
    from safedata.cli.parser import COMMANDS

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"`safedata {name}" in text, name
