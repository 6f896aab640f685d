from __future__ import annotations

import pytest

from safedata.machine.visible import Device, choose

THREE = [Device(0, "GPU-aaaa-1", "A100"), Device(1, "GPU-aabb-2", "A100"), Device(2, "GPU-cccc-3", "A100")]
MIG = [
    Device(0, "MIG-1111", "A100 1g", "GPU-aaaa"),
    Device(0, "MIG-2222", "A100 1g", "GPU-aaaa"),
    Device(1, "GPU-bbbb", "A100"),
]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, [0, 1, 2]),
        ("", []),
        ("-1", []),
        ("2,0", [2, 0]),
        (" 1 , 2", [1, 2]),
        ("1x,0", [1, 0]),
        ("0,7,1", [0]),
        ("0,-1,1", [0]),
        ("0,,1", [0]),
        ("1,1", []),
        ("none", []),
        ("GPU-cccc-3,GPU-aaaa-1", [2, 0]),
        ("GPU-c", [2]),
        ("GPU-aa", []),
        ("GPU-aab,GPU-zz,GPU-c", [1]),
        ("GPU-c,0", [2]),
        ("0,GPU-c", [0]),
        ("9" * 40, []),
    ],
)
def test_cuda_visible_devices(text: str | None, expected: list[int]) -> None:
    """Entries choose and order the GPUs, and the first that names none ends the list, as in CUDA."""
    chosen, notes = choose(THREE, {} if text is None else {"CUDA_VISIBLE_DEVICES": text})
    assert chosen == expected
    assert bool(notes) == (text is not None)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("0,7", "CUDA_VISIBLE_DEVICES is `0,7`: it ends at `7`, which is no number of a GPU here"),
        ("GPU-aa", "it ends at `GPU-aa`, which begins more than one UUID"),
        ("1,1", "`1` is named twice, which hides every GPU"),
        ("-1", "which hides every GPU"),
        ("1,0", "CUDA_VISIBLE_DEVICES is `1,0`: 2 of 3 shown"),
    ],
)
def test_notes_say_why(text: str, note: str) -> None:
    """Why GPUs are hidden is said with the user's own entry."""
    assert note in choose(THREE, {"CUDA_VISIBLE_DEVICES": text})[1][0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, [0]), ("MIG-2222", [1]), ("MIG-GPU-aaaa/1/0", []), ("1", [2]), ("1,0", [0]), ("GPU-aaaa", [0])],
)
def test_one_mig_instance_is_shown_alone(text: str | None, expected: list[int]) -> None:
    """CUDA shows one MIG instance and then no other GPU."""
    assert choose(MIG, {} if text is None else {"CUDA_VISIBLE_DEVICES": text})[0] == expected


def test_different_gpus_may_be_numbered_otherwise() -> None:
    """GPUs that differ get a note on the order unless it is set to the bus."""
    two = [Device(0, "GPU-a", "T4"), Device(1, "GPU-b", "H100")]
    assert "CUDA numbers the fastest first" in choose(two, {})[1][0]
    assert choose(two, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}) == ([0, 1], ())
