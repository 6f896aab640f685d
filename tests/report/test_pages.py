from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from safedata.problem import CODES
from safedata.report import pages
from safedata.report.pages import explain
from safedata.spec.load import load
from safedata.spec.node import DocumentError

FOLDER = Path(pages.__file__).parent / "pages"
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
WITHOUT_A_SPEC = {"SD507", "SD508", "SD509", "SD546", "SD547", "SD549"}
"""Codes about how a program calls safedata: their pages show Python."""
ABOUT_THE_TEXT = ["SD101", "SD102", "SD107", "SD108", "SD109", "SD111", "SD112", "SD113"]


def blocks(code: str) -> list[str]:
    page = explain(code)
    assert page is not None
    return BLOCK.findall(page)


def whole(block: str) -> str:
    return block if "safedata:" in block else f"safedata: 1\n{block}"


def test_there_is_a_page_for_every_code_and_no_other() -> None:
    """The table of codes and the folder of pages name the same."""
    assert {page.stem for page in FOLDER.iterdir()} == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_a_page_has_the_title_of_the_table(code: str) -> None:
    """The first line is the code with its title, and the page tells more than that."""
    page = explain(code.lower())
    assert page is not None
    assert page.startswith(f"# {code}: {CODES[code]}\n\n")
    assert len(BLOCK.sub("", page).split()) > 60


@pytest.mark.parametrize("code", sorted(set(CODES) - WITHOUT_A_SPEC))
def test_a_page_has_a_good_and_a_bad_spec(code: str) -> None:
    """There are two pieces of specs at least, and the last one is a document."""
    bad, *_, good = blocks(code)
    assert bad != good
    assert isinstance(yaml.safe_load(good), dict)


@pytest.mark.parametrize("code", sorted(WITHOUT_A_SPEC))
def test_a_page_on_python_shows_python(code: str) -> None:
    """Where no spec is wrong the page has a program that calls safedata, and Python takes it."""
    page = explain(code)
    assert page is not None
    found = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert "safedata." in "".join(found)
    for block in found:
        compile(block, code, "exec")


@pytest.mark.parametrize("code", ABOUT_THE_TEXT)
def test_the_bad_spec_of_a_page_has_that_problem(code: str, tmp_path: Path) -> None:
    """What a page on the document shows as bad gets the page's code, and what it shows as good does not."""
    (tmp_path / "images.yaml").write_text(
        "safedata: 1\nsteps:\n  - {name: augment, map: {}}\n  - {name: debug, take: 1}\n"
    )
    bad, *_, good = blocks(code)
    with pytest.raises(DocumentError, match=code):
        load(whole(bad), folder=tmp_path)
    load(whole(good), folder=tmp_path)


@pytest.mark.parametrize("code", ["", "SD999", "../SD101", "SD1"])
def test_an_unknown_code_has_no_page(code: str) -> None:
    """Only codes of the table lead to a file."""
    assert explain(code) is None
