"""The way out: for a spec over budget, the changes that make it fit, each tried by the estimator again."""

from safedata.fixes.find import OVER, with_fixes

__all__ = ["OVER", "with_fixes"]
