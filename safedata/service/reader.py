"""A dataset whose elements are waited for only so long."""

from __future__ import annotations

import queue
import threading
from typing import Any


class Reader:
    """Goes through a dataset in a thread of its own: nobody can be kept from waiting for a worker that is gone.

    A thread that waits for one stays as long as the process; it ends with it, and holds the few elements that were
    asked for ahead. One that was closed ends with the next element that comes.
    """

    def __init__(self, dataset: Any) -> None:
        self._rows: queue.SimpleQueue[tuple[int, Any] | BaseException | None] = queue.SimpleQueue()
        self.ended = False
        self._closed = False
        threading.Thread(target=self._read, args=(dataset,), name="safedata-service", daemon=True).start()

    def _read(self, dataset: Any) -> None:
        try:
            for place, element in dataset:
                if self._closed:
                    break
                self._rows.put((int(place), element))
            self._rows.put(None)
        except BaseException as error:  # it is raised again where it is waited for
            self._rows.put(error)

    def close(self) -> None:
        """Take no more elements: nobody waits for them."""
        self._closed = True

    def next(self, seconds: float) -> tuple[int, Any] | None:
        """Return the next element with its number; None where none has come in time, or `ended`.

        Raises:
            BaseException: what going through the dataset raised.
        """
        try:
            found = self._rows.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(found, BaseException):
            raise found
        self.ended = found is None
        return found
