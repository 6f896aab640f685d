"""`python -m safedata`, and the entry point of the command `safedata`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: the arguments behind the program's name; by default those of this process.
    """
    from safedata.cli.guard import guarded
    from safedata.cli.parser import run

    return guarded(lambda: run(argv))


if __name__ == "__main__":
    sys.exit(main())
