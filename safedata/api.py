"""What users import: check, load, open, build."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

from safedata.budget import Verdict
from safedata.program import parse_program
from safedata.request import Bytes, Request, Spec, analyze_request, check_request, checked, raise_for

if TYPE_CHECKING:
    from safedata import crew, measuring
    from safedata.analysis.run import Report as Analyzed
    from safedata.diagnosis import Examination
    from safedata.fitting import Fit
    from safedata.pipeline import Freed, Pipeline
    from safedata.profiling import Profile
    from safedata.run import Progress, Report


def check(
    spec: Spec,
    *,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    **params: object,
) -> Verdict:
    """Return the verdict on a spec, without TensorFlow.

    Args:
        spec: a path, or the spec's text with a line break in it.
        target: a machine that the spec's `targets` names; by default this machine.
        host: host memory to check against, bytes or text such as `64GiB`.
        gpu: memory of the GPU, or of each GPU.
        disk: free disk.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start; by default the spec's folder.
        params: values for the spec's parameters.

    Problems of the spec, of its data and of its budget are in the verdict; nothing is raised for them.
    """
    return check_request(spec, Request(params, target, host, gpu, disk, allow_env, folder, allow))


def fit(
    spec: Spec,
    *names: str,
    multiple_of: int = 1,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    **params: object,
) -> Fit:
    """Return the largest batch, or the largest of other numbers, with which a spec fits, without TensorFlow.

    Args:
        spec: a path, or the spec's text with a line break in it.
        names: which numbers, by the name of a step, a stage or a parameter; by default the size of the last batch.
            Several grow together, in the proportion that they have in the spec.
        multiple_of: every number is a multiple of this one.
        target: as for `check`, like the rest.
        host: bytes of host memory.
        gpu: bytes of GPU memory.
        disk: bytes of disk.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        params: values for the spec's parameters.

    Returns:
        The `safedata.fitting.Fit`: the numbers, the verdict with them, and what keeps them from being larger.

    Raises:
        SpecError: the spec has problems beside its budget, or no such number.
        DataError: its data is missing, unreadable or damaged.
    """
    from safedata.fitting import fit_verdict

    request = Request(params, target, host, gpu, disk, allow_env, folder, allow)
    return fit_verdict(check_request(spec, request), names, multiple_of)


def profile(
    spec: Spec,
    *,
    seconds: float = 10.0,
    batches: int | None = None,
    warmup: int = 5,
    step: float = 0.0,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    **params: object,
) -> Profile:
    """Check a spec, run it for a while, and return what each step did and which one the others wait for.

    Args:
        spec: a path, or the spec's text with a line break in it.
        seconds: how long to measure; the warm-up is not counted.
        batches: how many batches to measure, where that is sooner.
        warmup: batches before measuring starts, in which buffers fill.
        step: seconds that a training step takes; the consumer sleeps that long after each batch.
        target: as for `check`, like the rest.
        host: bytes of host memory.
        gpu: bytes of GPU memory.
        disk: bytes of disk.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        params: values for the spec's parameters.

    Returns:
        The `safedata.profiling.Profile`: elements, times and bytes by step, the waiting, the bottleneck.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing, unreadable or damaged.
        BudgetError: it does not fit.
    """
    from safedata.profiling import Pace, profile_verdict

    verdict = check_request(spec, Request(params, target, host, gpu, disk, allow_env, folder, allow))
    raise_for(verdict)
    return profile_verdict(verdict, Pace(seconds, batches, warmup, step))


def doctor(
    *, folder: str | PathLike[str] = ".", tensorflow: bool = False, empty_torch_cache: bool = False
) -> Examination:
    """Return what this machine has free, who holds the rest, what TensorFlow would take, and what to change.

    Where TensorFlow or PyTorch run in this process already, they tell their own figures; neither is imported.

    Args:
        folder: where caches would go.
        tensorflow: whether to import TensorFlow and start it, with memory growth on its GPUs.
        empty_torch_cache: whether PyTorch, where it runs here, is to give its unused GPU memory back first.

    Returns:
        The `safedata.diagnosis.Examination`; its `findings` are problems, each with one thing to do.
    """
    from safedata.diagnosis import examine

    return examine(os.fspath(folder), tensorflow=tensorflow, empty_torch=empty_torch_cache)


def load(
    spec: Spec,
    *,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    input_context: object = None,
    **params: object,
) -> Any:
    """Return the `tf.data.Dataset` of a spec, after the spec was checked; arguments as for `check`.

    Args:
        spec: a path, or the spec's text with a line break in it.
        target: as for `check`, like the next six.
        host: bytes of host memory.
        gpu: bytes of GPU memory.
        disk: bytes of disk.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        input_context: the `tf.distribute.InputContext` that `distribute_datasets_from_function` hands its function:
            `shard: auto` then gives the part of that input pipeline.
        params: values for the spec's parameters.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing, unreadable or damaged.
        BudgetError: it does not fit.
    """
    from safedata.compile import compile_plan

    pipelines = _pipelines(input_context)
    request = Request(params, target, host, gpu, disk, allow_env, folder, allow, pipelines)
    return compile_plan(checked(spec, request)).dataset


def _pipelines(input_context: object) -> tuple[int, int] | None:
    """Return how many input pipelines there are, and the number of this one; None without a context."""
    if input_context is None:
        return None
    from safedata.service.context import pipelines_of

    return pipelines_of(input_context)


def open_pipeline(
    spec: Spec,
    *,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    input_context: object = None,
    report: Callable[[Freed], None] | None = None,
    clear_keras: bool = False,
    **params: object,
) -> Pipeline:
    """Return a checked pipeline, for a `with` block, at the end of which its memory is given back.

    It has the `dataset` that `load` returns, and `iterate()`, which can go on in the middle of an epoch.

    Args:
        spec: a path, or the spec's text with a line break in it.
        target: as for `check`, like the next six.
        host: bytes of host memory.
        gpu: bytes of GPU memory.
        disk: bytes of disk.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        input_context: as for `load`.
        report: called on leaving with the `safedata.pipeline.Freed`: what was given back, and what is still held
            by whom. Without it that goes to the log `safedata`.
        clear_keras: whether leaving clears Keras' session too: its models' graphs and names.
        params: values for the spec's parameters.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing, unreadable or damaged.
        BudgetError: it does not fit.
    """
    from safedata.pipeline import Pipeline

    pipelines = _pipelines(input_context)
    request = Request(params, target, host, gpu, disk, allow_env, folder, allow, pipelines)
    verdict = check_request(spec, request)
    raise_for(verdict)
    return Pipeline(verdict, report=report, clear_keras=clear_keras)


def build(
    spec: Spec,
    *,
    manifest: str | PathLike[str] | None = None,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    force: bool = False,
    jobs: int = 1,
    service: str | None = None,
    epochs: int = 0,
    assert_flat_rss: bool = False,
    **params: object,
) -> Report:
    """Check a spec, write its caches on disk, run one pass over its data and write the manifest.

    Args:
        spec: a path, or the spec's text with a line break in it.
        manifest: where the manifest goes; by default beside the spec, for text nowhere.
        target: as for `check`, like the next six.
        host: bytes of host memory.
        gpu: bytes of GPU memory.
        disk: bytes of disk.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        progress: called with a `safedata.run.Progress` a few times a second.
        force: whether to write caches on disk anew that are there already.
        jobs: how many processes write a cache on disk, where its elements can be made in parts; each holds what
            one would, and the result is the same.
        service: the address of a tf.data service, `grpc://host:port`, whose workers make what caches on disk keep.
        epochs: how often to go through the data once more behind that; the report has the resident bytes of each.
        assert_flat_rss: whether these may not grow by more than 1 % behind the first epochs, of two at least.

    Returns:
        The `safedata.run.Report`: elements, batches, seconds, estimated and measured peak, caches, what was left out.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing, unreadable or damaged.
        BudgetError: it does not fit; SD542, memory grew from epoch to epoch.
    """
    from safedata.run import build_verdict

    verdict = check_request(spec, Request(params, target, host, gpu, disk, allow_env, folder, allow))
    raise_for(verdict)
    if assert_flat_rss and epochs < 2:
        raise ValueError("`assert_flat_rss` compares epochs: give it `epochs`, 2 or more")
    report = build_verdict(
        verdict, manifest, progress, force=force, jobs=jobs, service=service, epochs=epochs
    )
    if assert_flat_rss:
        from safedata.flat import refuse_grown

        refuse_grown(report.resident)
    return report


def measure(
    spec: Spec,
    *,
    beside: bool = False,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    progress: Callable[[crew.Progress], None] | None = None,
    **params: object,
) -> measuring.Report:
    """Read everything of which a check reads a sample, and keep it, so that bounds become `measured`.

    Args:
        spec: a path, or the spec's text with a line break in it.
        beside: whether to keep it in the data's own folder, and not in the user's cache folder.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        progress: called with a `safedata.crew.Progress` a few times a second.
        params: values for the spec's parameters.

    Returns:
        The `safedata.measuring.Report`: what was read, where it is kept, and which data is bad.

    Raises:
        SpecError: the spec has problems.
        DataError: its data is missing or unreadable, or the measurement cannot be written.
    """
    from safedata.measuring import measure_program

    program = parse_program(spec, overrides=params, allow_env=allow_env, allow=allow, folder=folder)
    return measure_program(program, beside=beside, progress=progress)


def analyze(
    spec: Spec,
    *names: str,
    force: bool = False,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    **params: object,
) -> Analyzed:
    """Make the artifacts of a spec that are missing, stale or damaged: vocabularies, class lists, statistics.

    Args:
        spec: a path, or the spec's text with a line break in it.
        names: the artifacts to make; all that say how, unless given.
        force: whether to make those too that are still right.
        target: as for `check`, like the next six.
        host: bytes of host memory.
        gpu: bytes of GPU memory.
        disk: bytes of disk.
        allow: modules whose functions and operations the spec may name: `["package.module"]`.
        allow_env: environment variables that the spec may read.
        folder: where the spec's relative paths start.
        progress: called with a `safedata.run.Progress` a few times a second.
        params: values for the spec's parameters.

    Returns:
        The `safedata.analysis.run.Report`: what was made, and what of it was there already.

    Raises:
        SpecError: the spec has problems, or nothing to make.
        DataError: its data is missing, unreadable or damaged, or an artifact cannot be written.
        BudgetError: a pass over the data does not fit.
    """
    request = Request(params, target, host, gpu, disk, allow_env, folder, allow)
    return analyze_request(spec, request, names, force=force, progress=progress)
