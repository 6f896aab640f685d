"""Several specs that are alive in one process at once: training and validation, say.

Each is checked as it is alone. Then their peaks are added, TensorFlow itself counted once, and held against the
tightest of their limits.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from os import PathLike

from safedata.budget import Verdict
from safedata.memory import Evidence, Place, weakest
from safedata.problem import Problem, did_you_mean
from safedata.records import record
from safedata.request import Bytes, Request, Spec, check_request
from safedata.spec.load import load
from safedata.spec.node import DocumentError
from safedata.together.over import over_together
from safedata.together.sums import Shares, alike, names_of, places_of

__all__ = ["Shares", "Together", "check_requests", "check_together", "names_of"]


@record(frozen=True, slots=True)
class Together:
    """Whether specs fit that run in one process at once, place by place."""

    verdicts: tuple[Verdict, ...]
    """Each spec as it is alone, with the allocator that the process will have, in the order of their names."""
    places: Mapping[Place, Shares]
    """Empty when one of the specs could not be typed."""
    problems: tuple[Problem, ...]
    """Those of each spec alone, and one for each place that the sum does not fit."""
    texts: Mapping[str, str]
    """The text of every file that a problem points into."""

    @property
    def fits(self) -> bool:
        """Whether every spec is sound and their sum is within every budget."""
        return bool(self.places) and not any(one.severity == "error" for one in self.problems)

    @property
    def evidence(self) -> Evidence:
        """The weakest evidence that a bound of one of the specs rests on."""
        return weakest(*(verdict.evidence for verdict in self.verdicts))


def check_together(
    specs: Sequence[Spec],
    *,
    target: str | None = None,
    host: Bytes | None = None,
    gpu: Bytes | Sequence[Bytes] | None = None,
    disk: Bytes | None = None,
    allow: Collection[str] = (),
    allow_env: Collection[str] = (),
    folder: str | PathLike[str] | None = None,
    **params: object,
) -> Together:
    """Return the verdict on specs whose pipelines are alive in one process at once, without TensorFlow.

    Args:
        specs: two or more specs, each a path or a spec's text with a line break in it.
        target: a machine that every spec's `targets` names; by default this machine.
        host: host memory to check against, bytes or text such as `64GiB`.
        gpu: memory of the GPU, or of each GPU.
        disk: free disk.
        allow: modules whose functions and operations the specs may name: `["package.module"]`.
        allow_env: environment variables that the specs may read.
        folder: where the specs' relative paths start; by default each spec's folder.
        params: values for parameters; each goes to every spec that has it.

    Problems of the specs, of their data and of their budgets are in the verdict.

    Raises:
        ValueError: no spec is named.
    """
    if isinstance(specs, (str, PathLike)) or not specs:
        raise ValueError("`check_together` takes a list of specs: `check_together([train, val])`")
    return check_requests(specs, Request(params, target, host, gpu, disk, allow_env, folder, allow))


def check_requests(specs: Sequence[Spec], request: Request) -> Together:
    """Return the verdict on specs that are alive at once; see `check_together`."""
    names = [_parameters(spec, request) for spec in specs]
    verdicts = alike(
        [
            check_request(spec, replace(request, overrides=_known(request.overrides, known)))
            for spec, known in zip(specs, names, strict=True)
        ]
    )
    problems = [*_unknown(request.overrides, names), *(one for own in verdicts for one in own.problems)]
    places = places_of(verdicts) if all(own.plan is not None for own in verdicts) else {}
    problems += [
        over_together(verdicts, places, place)
        for place, shares in places.items()
        if not shares.verdict.fits and shares.verdict.bytes is not None
    ]
    return Together(verdicts, places, tuple(_different(problems)), _texts(verdicts))


def _different(problems: Sequence[Problem]) -> Iterator[Problem]:
    """Yield each problem once: what two specs extend has the same ones in both."""
    for number, problem in enumerate(problems):
        if problem not in problems[:number]:
            yield problem


def _parameters(spec: Spec, request: Request) -> frozenset[str] | None:
    """Return the names of a spec's parameters, None when it cannot be read; asked only where some are set."""
    if not request.overrides:
        return frozenset()
    try:
        return frozenset(load(spec, allow_env=request.allow_env, folder=request.folder).params)
    except DocumentError:  # which the check reports
        return None


def _known(overrides: Mapping[str, object], names: frozenset[str] | None) -> Mapping[str, object]:
    return {name: value for name, value in overrides.items() if names is not None and name in names}


def _unknown(overrides: Mapping[str, object], names: Sequence[frozenset[str] | None]) -> Iterator[Problem]:
    """Yield a problem for each parameter that is set and that no spec has."""
    if any(known is None for known in names):
        return
    every = frozenset[str]().union(*(known for known in names if known is not None))
    for name in overrides:
        if name not in every:
            way_out = did_you_mean(name, every, what="parameters of the specs")
            yield Problem("SD107", f"none of the specs has a parameter `{name}` to set", help=way_out)


def _texts(verdicts: Sequence[Verdict]) -> Mapping[str, str]:
    """Return the texts of all files; of two specs given as text neither, since both have the same name."""
    texts: dict[str, str] = {}
    differ: set[str] = set()
    for own in verdicts:
        for file, text in own.texts.items():
            if texts.setdefault(file, text) != text:
                differ.add(file)
    return {file: text for file, text in texts.items() if file not in differ}
