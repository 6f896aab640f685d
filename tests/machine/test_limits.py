from __future__ import annotations

import pytest

from safedata.machine.limits import CUDA_CONTEXT, Free, Gpu, Machine, tensorflow_reserve
from safedata.memory import GIB, MIB


@pytest.mark.parametrize(
    ("free", "capability", "expected"),
    [
        (2 * GIB - 1, (9, 0), 225),
        (2 * GIB, (5, 2), 500),
        (8 * GIB, (6, 1), 500),
        (8 * GIB, (7, 5), 1050),
        (8 * GIB, (8, 9), 1536),
        (8 * GIB, (9, 0), 1800),
        (8 * GIB, (12, 0), 1800),
        (8 * GIB, None, 1800),
    ],
)
def test_reserve(free: int, capability: tuple[int, int] | None, expected: int) -> None:
    """TensorFlow leaves to the system what its table says; an unknown capability takes the most."""
    assert tensorflow_reserve(free, capability) == expected * MIB


def test_a_target_has_only_what_it_names() -> None:
    """A place that a target says nothing of is unknown, said so, and neither 0 nor endless."""
    machine = Machine.from_target(host=64 * GIB, gpus=[40 * GIB], name="a100")
    assert machine.free("host") == Free(64 * GIB, ("`a100` has 64.00 GiB",))
    assert machine.free("disk") == Free(None, ("`a100` says nothing of disk",))
    assert machine.cpus.usable is None
    assert machine.free("gpu:0").bytes == 40 * GIB - CUDA_CONTEXT - 1800 * MIB
    assert machine.free("gpu:1") == Free(None, ("a100 shows 1 GPU, no gpu:1",))


def test_a_place_that_is_none_is_refused() -> None:
    """Asking for another place than host, disk and GPUs raises."""
    with pytest.raises(ValueError, match="`ram` is not a place; places are host, disk and gpu:0"):
        Machine.from_target().free("ram")


def test_a_gpu_of_unknown_memory_is_unknown() -> None:
    """A GPU whose free memory nobody tells has None available, with its notes."""
    gpu = Gpu(0, notes=("the driver is silent",))
    assert gpu.available is None
    assert gpu.as_free().notes == ("the free memory of gpu:0 is unknown", "the driver is silent")
    assert tensorflow_reserve(None, (9, 0)) is None


def test_a_full_gpu_has_nothing_available() -> None:
    """Less free than the reserve is 0 available, never fewer."""
    assert Gpu(0, free=100 * MIB, reserve=225 * MIB).available == 0
