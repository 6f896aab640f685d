"""The page behind each code: what it means, why it matters, a bad and a good piece of a spec."""

from __future__ import annotations

import os
from typing import Final

from safedata.problem import CODES

_FOLDER: Final = os.path.join(os.path.dirname(__file__), "pages")


def explain(code: str) -> str | None:
    """Return the page on a code such as `SD301` as Markdown, None when there is no such code.

    Case does not matter.
    """
    wanted = code.strip().upper()
    if wanted not in CODES:
        return None
    with open(os.path.join(_FOLDER, f"{wanted}.md"), encoding="utf-8") as page:
        return page.read()
