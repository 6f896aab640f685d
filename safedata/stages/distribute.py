"""`distribute`: the steps before it run on the workers of a tf.data service."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field

from safedata.cardinality import UNKNOWN
from safedata.graphs import bodies
from safedata.lowering import Lowering
from safedata.memory import GIB, HOST, KIB, MIB, Hold, add, format_size, times
from safedata.problem import DataError, Fault, Problem
from safedata.records import replace
from safedata.scope import THREAD_BYTES, Scope
from safedata.stages._address import ServiceAddress, answers, parse_address
from safedata.stages._elements import slot_bytes
from safedata.stages._fields import Count
from safedata.stages.base import Stage
from safedata.types import Stream, Tensor

_MESSAGE: Final = 2 * GIB
"""What one message between a worker and a trainer may have at most: protocol buffers count bytes in 31 bits."""
_CLIENT: Final = 24 * MIB
"""Bound on gRPC's channels and threads in the trainer; see `Distribute.holds`."""

_LEFT_READING: Final = 3
"""Messages whose room a thread's heap keeps in a trainer."""
STEADY: Final = MIB
"""From which size on each block of a worker has pages of its own; `safedata serve` sees to it."""


class Distribute(Stage):
    """Run the steps before it on the workers of a tf.data service, and take their elements as they come.

    `safedata serve` runs its dispatcher and its workers. Each worker needs the memory that the verdict gives for the
    place `worker`, and finds the data at the same paths. Elements come in no fixed order. How they are shared out:

    - `dynamic`: parts of the source, each given to the worker that asks next. No element comes twice; those of a part
      in work are lost with their worker.
    - `off`: each worker gives all elements, so that they come as often as there are workers.
    - `hint`: each worker takes every n-th element directly behind the source. The dispatcher must know all workers
      (`serve dispatcher --worker ADDRESS`). A worker that starts again gives its share again.
    - `data`: the same of the elements that leave the last step before it: each worker makes all of them.

    An epoch starts the workers' steps anew: what is to change from epoch to epoch there, draws and orders, needs
    `repeat` before `distribute`, or has to stand behind it.
    """

    example: ClassVar[str] = 'distribute: "grpc://dispatcher:5050"'
    main: ClassVar[str | None] = "service"
    knobs: ClassVar[tuple[str, ...]] = ("max_outstanding",)
    remote: ClassVar[bool] = True

    service: ServiceAddress
    """The dispatcher: `grpc://host:port`."""
    sharding: Literal["off", "dynamic", "file", "data", "file_or_data", "hint"] = "dynamic"
    """How elements are shared out; TensorFlow's `file` and `file_or_data` would number them anew and are refused."""
    job: Annotated[str, Field(min_length=1)] | None = None
    """The name of a job that several trainers share: each element then goes to one of them."""
    max_outstanding: Count = 8
    """Elements that the trainer asks for ahead, of all workers together; one of each worker at a time."""

    def infer(self, before: Stream, scope: Scope) -> Stream:
        """Return the same elements; how many of them come, no one knows before: workers may be lost, or start again."""
        if before.place != HOST:
            problem = f"`distribute` takes elements on the host, and they are on {before.place} by then"
            way_out = "move it before the first step with `device: gpu`"
            scope.fault(Fault("SD207", problem, help=way_out))
        if before.bytes is not None and before.bytes >= _MESSAGE:
            problem = (
                f"one element of {format_size(before.bytes)} is more than a message of the service may have"
            )
            way_out = f"keep elements, or batches, below {format_size(_MESSAGE)} before `distribute`"
            scope.fault(Fault("SD207", problem, help=way_out))
        endless = before.cardinality.kind == "infinite"
        cardinality = before.cardinality if endless else UNKNOWN
        return replace(before, cardinality=cardinality, shared=None)

    def holds(self, before: Stream, after: Stream, scope: Scope) -> Iterator[Hold]:
        """Yield the elements asked for: each that waits, and for each that arrives its message beside it.

        `data_service_client.cc` counts waiting elements and requests together against `max_outstanding_requests`. A
        message is there twice while it is read, as gRPC's slices and as a protocol buffer, and then as tensors. Growth
        of `VmHWM` over an idle TensorFlow in MiB, two workers on the loopback interface, 2 CPUs, elements of 1, 16 and
        64 MiB, 8 of them asked for: 34, 257, 428; 16 MiB and 2 asked for: 268, and 486 for three components of 16 MiB
        each. So of blocks that glibc does not map by themselves a good part stays with the threads that have read them.
        """
        one = slot_bytes(after, scope)
        count = self.max_outstanding
        yield Hold(HOST, times(count, one), f"{count} elements asked for", after.weakest)
        yield Hold(HOST, times(2 * count, after.bytes), "their messages while they are read", after.weakest)
        left = left_behind(after, scope, _LEFT_READING)
        yield Hold(HOST, left, "room of messages that were read", after.weakest)
        yield Hold(HOST, add(_CLIENT, count * (THREAD_BYTES + 64 * KIB)), "connections to the workers")

    def lower(self, data: Any, low: Lowering) -> Any:
        """Return the dataset that reads from the service; what it is made of is handed to the dispatcher.

        Raises:
            DataError: SD550, nothing listens at the address; SD552, what stands before it cannot leave this process.
        """
        tf, address = low.tf, parse_address(self.service)
        reached(self.service)
        service = tf.data.experimental.service
        policy = service.ShardingPolicy[self.sharding.upper()]
        number = registered(tf, data, self.service, self.job)
        made = service.from_dataset_id(
            policy,
            str(address),
            number,
            element_spec=data.element_spec,
            job_name=self.job,
            max_outstanding_requests=self.max_outstanding,
        )
        made.safedata_keeps = data
        return made


def left_behind(stream: Stream, scope: Scope, each: int, mapped: int = 32 * MIB) -> int | None:
    """Return what messages leave behind in the heaps of threads that read or write them, in bytes.

    Args:
        stream: what is sent.
        scope: says how many CPUs there are, and so how many threads gRPC has.
        each: how many of them a thread's heap keeps.
        mapped: blocks of more bytes have pages of their own, which go back when they are freed; glibc's largest limit.
    """
    kept = add(*(_in_heap(one, stream.batch_dims, mapped) for one in stream.element.values()))
    if kept is not None and stream.bytes is not None:
        kept = min(kept, stream.bytes)
    return times(each * (max(1, scope.cpus) + 2), kept)


def _in_heap(tensor: Tensor, batch_dims: int, mapped: int) -> int | None:
    """Return the most bytes of a component that are in blocks of up to `mapped`: texts are blocks of their own."""
    if tensor.dtype == "string":
        length = tensor.length
        if length.most is None or length.most <= mapped:
            return tensor.bytes
        return 0 if length.exact else times(tensor.elements, mapped)
    size = tensor.bytes
    if size is None or size <= mapped:
        return size
    return 0 if all(dim.exact for dim in tensor.shape[batch_dims:]) else mapped


def reached(service: str) -> None:
    """Return once something listens at a dispatcher's address.

    TensorFlow itself would ask for an hour, and say nothing.

    Raises:
        DataError: SD550, nothing does.
    """
    why = answers(parse_address(service))
    if why is not None:
        message = f"no dispatcher of a tf.data service answers at {service}: {why}"
        way_out = "start one there with `safedata serve dispatcher --port N`, or mend the address"
        raise DataError([Problem("SD550", message, help=way_out)])


PYTHON: Final = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""Operations that call a function of the process that made the graph."""


def registered(tf: Any, data: Any, service: str, job: str | None = None) -> Any:
    """Return the name under which a dispatcher knows a dataset from now on, a scalar tensor.

    Args:
        tf: the TensorFlow module.
        data: the dataset.
        service: the dispatcher's address.
        job: a job's name, for which the same dataset, in whichever process it was made, gets the same name: a job is
            shared only by those who read one dataset.

    Raises:
        DataError: SD552, the dataset has something that is in this process only.
    """
    try:
        text = data._as_serialized_graph(  # what registering sends, and no other way to see it
            external_state_policy=tf.data.experimental.ExternalStatePolicy.IGNORE
        )
        graph = tf.compat.v1.GraphDef.FromString(text.numpy())
        nodes = [node for body in bodies(graph) for node in body]
        found = next((node.op for node in nodes if node.op in PYTHON), None)
        if found is None:
            name = None if job is None else f"{job}-{_digest(nodes)}"
            register = tf.data.experimental.service.register_dataset
            return register(service, data, compression=None, dataset_id=name)
    except (tf.errors.FailedPreconditionError, tf.errors.InvalidArgumentError) as error:
        found = str(error).partition("\n")[0]
    message = f"a step before `distribute` has something that no other process has: {found}"
    way_out = "move that step behind `distribute`"
    raise DataError([Problem("SD552", message, help=way_out)])


def _digest(nodes: Sequence[Any]) -> str:
    """Return what is the same for two graphs that differ in nothing but the names of their nodes and functions."""
    pieces: list[bytes] = []
    for node in nodes:
        values = {
            name: value.SerializeToString(deterministic=True)
            for name, value in node.attr.items()
            if name != "metadata" and value.WhichOneof("value") != "func" and not value.list.func
        }
        pieces.append(repr((node.op, sorted(values.items()))).encode())
    return hashlib.sha256(b"".join(sorted(pieces))).hexdigest()[:16]
