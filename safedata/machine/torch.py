"""What PyTorch holds of GPUs in this process, where it is loaded: its tensors, and blocks that it keeps for later.

Nothing here imports PyTorch or makes it set up a GPU.
"""

from __future__ import annotations

import gc
import sys
from typing import Any, NamedTuple


class TorchGpu(NamedTuple):
    """PyTorch's memory on one GPU, in bytes."""

    gpu: int
    """PyTorch's number of it."""
    allocated: int
    """What tensors use."""
    reserved: int
    """What its allocator took from the driver, tensors included."""

    @property
    def cached(self) -> int:
        """Bytes kept for later tensors: nobody else gets them until they are let go."""
        return max(0, self.reserved - self.allocated)


def torch_gpus() -> tuple[TorchGpu, ...] | None:
    """Return PyTorch's GPUs, None where it is not loaded or has set up none."""
    cuda = _cuda()
    if cuda is None:
        return None
    return tuple(
        TorchGpu(index, int(cuda.memory_allocated(index)), int(cuda.memory_reserved(index)))
        for index in range(int(cuda.device_count()))
    )


def empty_torch_cache() -> int:
    """Let PyTorch give its unused blocks back to the driver; return the bytes that it gave."""
    cuda = _cuda()
    if cuda is None:
        return 0
    before = sum(one.reserved for one in torch_gpus() or ())
    gc.collect()  # tensors in cycles are in use until then
    cuda.empty_cache()
    return before - sum(one.reserved for one in torch_gpus() or ())


def _cuda() -> Any:
    """Return `torch.cuda` where it is set up: to ask it for memory before would set up a GPU."""
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    try:
        return cuda if cuda is not None and cuda.is_initialized() else None
    except Exception:  # a PyTorch in the middle of its import
        return None
