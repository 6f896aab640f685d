"""Each page's specs: the first makes the mistake, the last does not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import safedata
from safedata.problem import CODES
from safedata.report.pages import explain
from tests.mistakes.test_sources import archive

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"```yaml\n(.*?)```", re.DOTALL)
MISTAKES = [code for code in CODES if code.startswith("SD6")]


@pytest.mark.parametrize("code", MISTAKES)
def test_the_bad_spec_makes_the_mistake_and_the_good_one_makes_none(code: str, tmp_path: Path) -> None:
    """What a page shows as bad has its code and no other problem; what it shows as good has none."""
    page = explain(code)
    assert page is not None
    folder = ROOT / "specs"
    if code == "SD624":  # of an archive that is too large for a repository
        folder = tmp_path
        (tmp_path / "data").mkdir()
        for name in ("thumbnails_image.npy", "thumbnails_label.npy"):
            (tmp_path / "data" / name).symlink_to(ROOT / "specs" / "data" / name)
        archive(tmp_path / "data" / "scans_compressed.npz", 101)
    bad, good = (
        safedata.check(f"safedata: 1\n{block}", host="256GiB", folder=folder) for block in BLOCK.findall(page)
    )
    assert [one.code for one in bad.problems] == [code]
    assert not good.problems
