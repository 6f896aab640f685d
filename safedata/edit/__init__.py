"""Changes a spec's text in place: only what changes is written anew, every other character stays."""

from safedata.edit.draft import Draft, EditError
from safedata.edit.steps import Edited, edited, parameter_of

__all__ = ["Draft", "EditError", "Edited", "edited", "parameter_of"]
