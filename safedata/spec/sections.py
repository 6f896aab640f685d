"""The models of the sections that every check asks for: `budget` and `runtime`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from typing_extensions import Self

from safedata.fields import Int, Size, SizeOrShare


class Section(BaseModel):
    """What all sections share: fixed once read, strict about types, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Reserve(Section):
    """Memory that something else needs beside the pipeline."""

    gpu: Size | None = None
    """Bytes kept free on each GPU, for the model and its optimizer."""
    host: Size | None = None
    """Bytes of host memory kept free."""


class Budget(Section):
    """What the pipeline may hold at its peak, place by place; what is not said is what is free."""

    gpu: SizeOrShare | None = None
    """On each GPU; a share is one of what is free there."""
    host: SizeOrShare | None = None
    """In the memory of the whole process, TensorFlow itself included."""
    disk: SizeOrShare | None = None
    """For caches and snapshots."""
    worker: Size | None = None
    """In the memory of each worker of a tf.data service; what is not said is not asked for."""
    reserve: Reserve = Reserve.model_construct()
    """Taken away from what is free before shares are worked out."""


class OnError(Section):
    """What happens when an element's data is bad."""

    mode: Literal["fail", "skip"] = "fail"
    """`fail` stops with the element's place; `skip` records the element and leaves it out, `quarantine` too."""
    max: Annotated[Int, Field(ge=1)] = 100
    """Elements that `skip` leaves out in one epoch before it stops all the same."""
    quarantine: bool = False
    """Whether each of them is written to a report, with the reason."""
    report: str | None = None
    """The report's file; beside the spec unless said."""


def _on_error(value: object) -> object:
    """Return `fail`, `skip`, `quarantine` and `{skip: {max: 20}}` as the fields of `OnError`."""
    if isinstance(value, str):
        if value in ("skip", "quarantine"):
            return OnError(mode="skip", quarantine=value == "quarantine")
        if value == "fail":
            return OnError()
        ways = "`fail`, `skip`, `quarantine` or `skip: {max: 100}`"
        raise ValueError(f"`{value}` is not an answer to bad data; write {ways}")
    if isinstance(value, dict):
        from safedata.spec.on_error import QuarantineForm, SkipForm  # few specs have this form

        if "quarantine" in value:
            said = QuarantineForm.model_validate(value).quarantine
            return OnError(mode="skip", max=said.max, quarantine=True, report=said.report)
        return OnError(mode="skip", max=SkipForm.model_validate(value).skip.max)
    return value


def _mistake(value: object) -> object:
    from safedata.problem import CODES

    if isinstance(value, str) and value[:3] == "SD6" and value in CODES:
        return value
    raise ValueError(
        f"`{value}` is not the code of a mistake, which starts with SD6; no other can be accepted"
    )


Mistaken = Annotated[
    str, BeforeValidator(_mistake), WithJsonSchema({"type": "string", "pattern": "^SD6[0-9]{2}$"})
]
"""The code of a mistake."""


class Runtime(Section):
    """How the pipeline runs."""

    seed: Int = 0
    """Of every random draw, with the epoch and the element's index."""
    deterministic: bool = True
    """Whether elements come in the same order every time."""
    threads: Annotated[Int, Field(ge=1)] | Literal["auto"] = "auto"
    """Threads of the pipeline; `auto` is one for each CPU that the process may use."""
    allocator: Literal["auto", "pool", "system"] = "auto"
    """Where TensorFlow takes tensors from on the host: a pool of its own, glibc, or whichever takes less here."""
    memory_growth: bool | None = None
    """Whether TensorFlow takes GPU memory as it needs it rather than all at once."""
    gpu_memory_limit: Size | None = None
    """Bytes that TensorFlow may take on each GPU."""
    device_fallback: Literal["cpu"] | None = None
    """`cpu` lets the host do what `device: gpu` asks for, with the same result, where there is no such GPU."""
    replicas: Annotated[Int, Field(ge=1)] = 1
    """GPUs of the `tf.distribute` strategy that will deal the batches out; each gets a part of every batch."""
    on_error: Annotated[OnError, BeforeValidator(_on_error)] = OnError.model_construct()
    """`fail`, `skip` (at most 100 elements an epoch), `skip: {max: 20}`, or `quarantine`, which writes down each."""
    accept: Annotated[tuple[Mistaken, ...], Field(strict=False)] = ()
    """Codes of mistakes that are meant, which are then not reported: `[SD602]`."""

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if self.memory_growth and self.gpu_memory_limit is not None:
            raise ValueError(
                "`memory_growth` does nothing beside `gpu_memory_limit`, which is taken at once; "
                "write one of the two"
            )
        return self
