"""The largest batch, buffer or number of calls that fits: found, and found to be the largest."""

from safedata.fitting.answer import Fit, Number, fit_verdict

__all__ = ["Fit", "Number", "fit_verdict"]
