"""`read_file`: the bytes of the file that a string names."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator
from typing_extensions import Self

from safedata.fields import Size
from safedata.insist import Check, insist
from safedata.lowering import Call, bounds
from safedata.memory import add, times
from safedata.ops.base import Op
from safedata.problem import Fault
from safedata.types import Dim, Tensor

if TYPE_CHECKING:
    from safedata.artifacts.folder import Folder

_SHARED: Final = 4096
"""Bytes of the objects that a path becomes in Python, its own aside."""
_COPIES: Final = 6
"""So often a path is there while it is looked at: as text, as bytes, and with its folder before it."""


class ReadFile(Op):
    """Read the file that a string names, below the folder `root`: the path becomes the file's bytes.

    The path comes from the data, a column of a table say, so it is held to that folder at run time: an absolute path,
    one with `..` in it, and a link that leads out of the folder are errors (SD414). A file that is not there or is no
    ordinary one is bad data (SD404), and so is one of more than `max_bytes` (SD501); it is not read then. Where a cache
    on disk stands behind it, the names, sizes and times of all files below `root` go into its key. For a whole table of
    files that are known at the check, the source `manifest` reads their headers too.
    """

    example: ClassVar[str] = "{read_file: {root: data/images, max_bytes: 4MiB}}"
    fallible: ClassVar[bool] = True
    batches: ClassVar[bool] = False
    python: ClassVar[bool] = True

    root: Annotated[str, Field(min_length=1)]
    """The folder that paths start from and cannot leave, relative to the spec."""
    max_bytes: Annotated[Size, Field(ge=1)]
    """The most bytes that a file may have."""

    _folder: Folder | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _find(self, info: ValidationInfo) -> Self:
        if info.context is not None:
            from safedata.artifacts.shelf import artifacts_of

            self._folder = artifacts_of(info.context).folder_at(self.root, "root")
        return self

    def infer(self, x: Tensor) -> Tensor:
        """Return the type of the bytes."""
        self.require(x, "string", help="start from the component that has the paths: `{from: path}`")
        if x.rank:
            way_out = "put this map before `batch`, or name one of the strings"
            raise Fault("SD203", f"`read_file` takes one path, not {x}", help=way_out)
        if x.encoded is not None:
            raise Fault("SD203", "this component has an image's bytes, and no path", help="leave it out")
        return Tensor("string", length=Dim.at_most(self.max_bytes, "declared"))

    def workspace(self, x: Tensor, y: Tensor) -> int | None:
        """Return the bytes of the path while it is looked at; a file's are read straight into the result."""
        return add(times(_COPIES, x.length.most), _COPIES * len(self._place), _SHARED)

    @property
    def _place(self) -> str:
        return self.root if self._folder is None else self._folder.path

    def lower(self, x: Any, call: Call) -> Any:
        """Return the bytes of the file, once its path and its size are found to be fine."""
        from safedata.inside import Looked, Within

        tf = call.tf
        looked = tf.numpy_function(
            Within(self._place), [x], [tf.string, tf.int64, tf.int64], name="look", stateful=False
        )
        path, what, size = (tf.ensure_shape(one, []) for one in looked)
        checks = [
            Check(what != Looked.OUTSIDE, f"SD414: read_file: a path out of {_plain(self.root)}; got", x),
            Check(what != Looked.GONE, f"SD404: read_file: no file in {_plain(self.root)} to read; got", x),
            Check(
                size <= self.max_bytes,
                f"SD501: read_file: a file of more than {self.max_bytes} bytes; got",
                size,
            ),
        ]
        data = tf.io.read_file(insist(tf, path, checks, call.where))
        return insist(tf, data, list(bounds(tf, data, call.y, "read_file")), call.where)


def _plain(text: str) -> str:
    """Return text without what TensorFlow would escape in a message."""
    return "".join(one for one in os.path.normpath(text) if one not in "\"'\\[]" and one.isprintable())
