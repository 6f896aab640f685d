"""A dataset on another device: elements are carried over and mapped there, in one call.

TensorFlow's own `copy_to_device` is such a dataset without the maps: a generator on the device that asks an
iterator on the host for its next element. Its map for GPUs, `map_on_gpu`, is private, not documented, and has no
CPU kernel, so that nothing of it can be tried on a machine without a GPU. Here the maps are part of the
generator's function, which runs on the device that it is for; everything is made of public operations.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from safedata.lowering import Values

_SOURCE = "/CPU:0"


@dataclass(frozen=True)
class Crossing:
    """Elements on their way to `device`, and what is done to them there; `build` makes it a dataset.

    It takes the methods of `tf.data.Dataset` that can follow on a device, so that steps lower themselves onto it
    as onto any dataset.
    """

    tf: Any
    data: Any
    """The dataset on the host, its options on it: none reach it from behind."""
    names: frozenset[str]
    """The components that are carried over."""
    device: str
    functions: tuple[Callable[[Any], Any], ...] = ()

    def map(self, function: Callable[[Any], Any]) -> Crossing:
        """Return the crossing with one more function that runs on the device."""
        return Crossing(self.tf, self.data, self.names, self.device, (*self.functions, function))

    def prefetch(self, buffer_size: int) -> Any:
        """Return the dataset with a buffer on the device."""
        return self.build().prefetch(buffer_size)

    def with_options(self, options: Any) -> Any:
        """Return the dataset with options for what runs on the device."""
        return self.build().with_options(options)

    def build(self) -> Any:
        """Return the dataset on the device."""
        tf = self.tf
        with tf.device(None):  # what is traced here runs where it is called, not where it is built
            host = _Host(tf, self.data, self.names)
            start, stop = host.called(host.start), host.called(host.stop)
            step, structure = self._step(host)
        kinds = tf.nest.flatten(structure)
        with tf.device(self.device):
            made = tf.raw_ops.GeneratorDataset(
                init_func_other_args=start.captured_inputs,
                next_func_other_args=step.captured_inputs,
                finalize_func_other_args=stop.captured_inputs,
                init_func=start,
                next_func=step,
                finalize_func=stop,
                output_types=[kind.dtype for kind in kinds],
                output_shapes=[kind.shape for kind in kinds],
            )
        dataset = tf.data.experimental.from_variant(made, structure)
        dataset.safedata_keeps = (self.data, start, step, stop)  # the graph names these, and Python owns them
        return dataset

    def _step(self, host: _Host) -> tuple[Any, Any]:
        """Return the function that makes the next element on the device, and the structure of what it makes."""
        tf = self.tf
        structure: list[Any] = []

        def unnamed(tensor: Any) -> Any:
            return tf.TensorSpec(tensor.shape, tensor.dtype)

        def step(handle: Any) -> Any:
            element = host.fetched(handle)
            for function in self.functions:
                element = function(element)
            structure.append(tf.nest.map_structure(unnamed, element))
            return tf.nest.flatten(element)

        # Without the attribute int32 stays in host memory, as it does in most functions on a GPU.
        made = tf.function(
            step,
            input_signature=[tf.TensorSpec([], tf.string)],
            autograph=False,
            experimental_attributes={"experimental_ints_on_device": True},
        ).get_concrete_function()
        return made, structure[-1]


class _Host:
    """The functions that run beside the host's dataset: an iterator made, asked, and let go."""

    def __init__(self, tf: Any, data: Any, names: frozenset[str]) -> None:
        self.tf = tf
        self.spec: dict[str, Any] = data.element_spec
        self.names = names
        kinds = tf.nest.flatten(self.spec)
        self.kinds = {
            "output_types": [kind.dtype for kind in kinds],
            "output_shapes": [kind.shape for kind in kinds],
        }
        self.source = tf.constant(_SOURCE)
        with tf.device(_SOURCE):
            variant = tf.data.experimental.to_variant(data)
            self.data = tf.raw_ops.WrapDatasetVariant(input_handle=variant)
        self.next = self._concrete(self._next, 1)

    def start(self) -> Any:
        """Return, in a graph, the handle of a new iterator over the dataset."""
        raw = self.tf.raw_ops
        data = raw.UnwrapDatasetVariant(input_handle=self.data)
        iterator = raw.AnonymousIterator(**self.kinds)
        with self.tf.control_dependencies([raw.MakeIterator(dataset=data, iterator=iterator)]):
            return raw.IteratorToStringHandle(resource_handle=iterator)

    def stop(self, handle: Any) -> Any:
        """Let the iterator go."""
        raw = self.tf.raw_ops
        iterator = raw.IteratorFromStringHandleV2(string_handle=handle, **self.kinds)
        gone = raw.DestroyResourceOp(resource=iterator, ignore_lookup_error=True)
        with self.tf.control_dependencies([gone]):
            return self.tf.constant(0, self.tf.int64)

    def _next(self, handle: Any) -> list[Any]:
        raw = self.tf.raw_ops
        iterator = raw.IteratorFromStringHandleV2(string_handle=handle, **self.kinds)
        parts = raw.IteratorGetNext(iterator=iterator, **self.kinds)
        element = self.tf.nest.pack_sequence_as(self.spec, parts)
        return [part for name, part in element.items() if name in self.names]

    def fetched(self, handle: Any) -> Values:
        """Return, in a graph on the device, the next element, carried over."""
        carried = {name: kind for name, kind in self.spec.items() if name in self.names}
        parts = self.tf.raw_ops.RemoteCall(
            target=self.source,
            args=[handle, *self.next.captured_inputs],
            Tout=[kind.dtype for kind in carried.values()],
            f=self.next,
        )
        pairs = zip(carried.items(), parts, strict=True)
        return {name: self.tf.ensure_shape(part, kind.shape) for (name, kind), part in pairs}

    def called(self, function: Callable[..., Any]) -> Any:
        """Return a function that, wherever it runs, has `function` run on the host."""
        handles = 1 if function == self.stop else 0
        inner = self._concrete(function, handles)
        kind = self.tf.int64 if handles else self.tf.string

        def call(*handle: Any) -> Any:
            args = [*handle, *inner.captured_inputs]
            return self.tf.raw_ops.RemoteCall(target=self.source, args=args, Tout=[kind], f=inner)

        return self._concrete(call, handles)

    def _concrete(self, function: Callable[..., Any], handles: int) -> Any:
        signature = [self.tf.TensorSpec([], self.tf.string)] * handles
        return self.tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
