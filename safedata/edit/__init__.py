"""Changes a spec's text in place: only what changes is written anew, every other character stays."""

from safedata.edit.draft import Draft, EditError
from safedata.edit.settings import field_of, parameter_of
from safedata.edit.steps import Edited, edited

__all__ = ["Draft", "EditError", "Edited", "edited", "field_of", "parameter_of"]
