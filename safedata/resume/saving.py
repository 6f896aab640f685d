"""TensorFlow's own iterators, where TensorFlow can save them."""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any

from safedata.problem import Problem, StateError

_HELP = "save the state of `pipeline.iterate()`: it is a few numbers, and no step has to be saved for it"


def saveable(tf: Any, dataset: Any) -> Any:
    """Return a new iterator over a dataset, which `tf.train.Checkpoint` can save.

    It is saved once, before its first element: TensorFlow looks through all steps then.

    Args:
        tf: the TensorFlow module.
        dataset: what to iterate over.

    Raises:
        StateError: SD549, a step has something that TensorFlow does not save.
    """
    iterator = iter(dataset)
    with tempfile.TemporaryDirectory() as folder:
        try:
            tf.train.Checkpoint(iterator=iterator).write(os.path.join(folder, "iterator"))
        except tf.errors.OpError as error:
            raise _unsaveable(error) from error
    return iterator


def _unsaveable(error: Any) -> StateError:
    said = re.sub(r"^\{\{.*?\}\} *|\s*\[Op:.*", "", str(error.message), flags=re.DOTALL).strip().rstrip(".")
    python = "Python functions, `call`, generators and `on_error: skip` run in Python"
    why = python if "PyFunc" in said else f"TensorFlow says: {said}"
    message = "TensorFlow cannot save an iterator over this pipeline"
    return StateError([Problem("SD549", message, notes=(why,), help=_HELP)])
