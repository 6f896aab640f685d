"""`python -m safedata`, and the entry point of the command `safedata`."""

from __future__ import annotations

import gc
import os
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLUGINS: Final = "pydantic.plugin._loader"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status.

    Args:
        argv: the arguments behind the program's name; by default those of this process.
    """
    given = sys.argv[1:] if argv is None else argv
    paused = given[:1] == ["check"] and gc.isenabled()
    if paused:  # a check is over before its garbage counts, and looking for it takes a thirtieth of its time
        gc.disable()
    try:
        return _run(given)
    finally:
        if paused:
            gc.enable()
        if argv is None:
            gc.freeze()  # this process ends here: nothing is worth a last collection


def _run(argv: Sequence[str]) -> int:
    _without_plugins()
    from safedata.cli.guard import guarded
    from safedata.cli.parser import run

    return guarded(lambda: run(argv))


def _without_plugins() -> None:
    """Keep pydantic from loading plugins: what a spec says must not depend on what else is installed.

    The variable is pydantic's switch for that. Its loader imports `importlib.metadata` before it looks at the
    switch, a tenth of a check's time, so an empty one stands in; whatever else is asked of it comes from the
    real one.
    """
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    if _PLUGINS not in sys.modules:
        sys.modules[_PLUGINS] = _NoPlugins(_PLUGINS)


class _NoPlugins(ModuleType):
    @staticmethod
    def get_plugins() -> tuple[()]:
        return ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # questions of the import system
            raise AttributeError(name)
        from importlib import import_module

        sys.modules.pop(_PLUGINS, None)
        return getattr(import_module(_PLUGINS), name)


if __name__ == "__main__":
    sys.exit(main())
