"""Which GPUs CUDA shows a process, and in which order: the rules of `CUDA_VISIBLE_DEVICES`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Device(NamedTuple):
    """A GPU or MIG instance as NVML lists it."""

    number: int
    """NVML's number of the GPU, which goes by the PCI bus."""
    uuid: str | None = None
    name: str | None = None
    parent: str | None = None
    """For a MIG instance, its GPU's UUID."""

    @property
    def mig(self) -> bool:
        """Whether this is an instance of a GPU in MIG mode."""
        return self.parent is not None or (self.uuid or "").startswith("MIG-")


def choose(devices: Sequence[Device], environ: Mapping[str, str]) -> tuple[list[int], tuple[str, ...]]:
    """Return the positions in `devices` that CUDA shows, in its order, and notes on the choice.

    Rules of CUDA: entries are numbers, or UUIDs, or their unique beginnings; the first entry that names no
    GPU ends the list; a GPU named twice leaves none; one process sees a single MIG instance and then no
    other GPU.
    """
    text = environ.get("CUDA_VISIBLE_DEVICES")
    notes: list[str] = []
    if text is None:
        chosen = list(range(len(devices)))
    else:
        chosen, problem = _listed(devices, text)
        notes.append(
            f"CUDA_VISIBLE_DEVICES is `{text}`: {problem or f'{len(chosen)} of {len(devices)} shown'}"
        )
    instances = [place for place in chosen if devices[place].mig]
    if instances and len(chosen) > 1:
        chosen = instances[:1]
        notes.append("CUDA shows a process one MIG instance and then no other GPU")
    notes.extend(_order_note(devices, environ))
    return chosen, tuple(notes)


def _listed(devices: Sequence[Device], text: str) -> tuple[list[int], str | None]:
    chosen: list[int] = []
    entries = text.split(",")
    for entry in entries:
        place, why = _place(devices, entry, entries[0])
        if place is None:
            return chosen, f"it ends at `{entry.strip()}`, {why}"
        if place in chosen:
            return [], f"`{entry.strip()}` is named twice, which hides every GPU"
        chosen.append(place)
    return chosen, None


def _place(devices: Sequence[Device], entry: str, first: str) -> tuple[int | None, str]:
    """Return which device an entry names, or why it names none."""
    word = entry.strip()
    by_uuid = first.strip().startswith(("GPU-", "MIG-"))
    if by_uuid != word.startswith(("GPU-", "MIG-")):
        return None, "which hides every GPU" if not word else "which names none beside the first entry"
    if by_uuid:
        return _by_uuid(devices, word)
    number = re.match(r"\+?([0-9]{1,9})", word)  # as strtol reads it: `1abc` is 1
    if number is None:
        return None, "which hides every GPU" if word in ("", "-1") else "which is no number of a GPU"
    index = int(number[1])
    place = next((at for at, one in enumerate(devices) if one.number == index), None)
    return place, "which is no number of a GPU here"


def _by_uuid(devices: Sequence[Device], word: str) -> tuple[int | None, str]:
    # An old name of a MIG instance is MIG-<UUID of its GPU>/<GPU instance>/<compute instance>.
    fitting = [at for at, one in enumerate(devices) if (one.uuid or "").startswith(word)]
    exact = [at for at in fitting if devices[at].uuid == word]
    if len(fitting) == 1 or exact:
        return (exact or fitting)[0], ""
    if fitting:
        return None, "which begins more than one UUID"
    of_gpu = [at for at, one in enumerate(devices) if (one.parent or "").startswith(word)]
    return (of_gpu[0], "") if of_gpu else (None, "which is no UUID of a GPU here")


def _order_note(devices: Sequence[Device], environ: Mapping[str, str]) -> list[str]:
    """Return a note where CUDA may number the GPUs in another order than NVML does."""
    by_bus = environ.get("CUDA_DEVICE_ORDER", "") == "PCI_BUS_ID"
    if by_bus or len({one.name for one in devices}) < 2:
        return []
    return [
        "the GPUs differ, and CUDA numbers the fastest first unless CUDA_DEVICE_ORDER is PCI_BUS_ID: "
        "numbers here go by the bus"
    ]
