"""Reads the parts of a resolved document: its source, its steps, its sections; every problem of form is reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pydantic import BaseModel, TypeAdapter, ValidationError

from safedata import registry
from safedata.problem import EchoFault, Fault, Path, Problem, did_you_mean
from safedata.sources.base import Source
from safedata.spec.node import Document, Node
from safedata.spec.pointing import problem_of
from safedata.stages._step import Step
from safedata.stages.base import Parsing, Stage

if TYPE_CHECKING:
    from safedata.artifacts import Artifacts
    from safedata.spec.load import Resolved
    from safedata.spec.output import Output
    from safedata.spec.targets import Target

BESIDE: Final = ("name", "device", "parallel")
"""Keys that may stand beside a stage's own in a step."""
LATER: Final[Mapping[str, str]] = {
    "interleave": "write `interleave: 8` in the source: those over files of records, lines or rows take it",
    "pack": "use `padded_batch`",
}
"""Parts of the language that this version does not have, with what to do in their place."""

_Model = TypeVar("_Model", bound=BaseModel)
_Value = TypeVar("_Value")


class Reader:
    """Reads the parts of one document; problems add up."""

    def __init__(self, document: Document, problems: list[Problem]) -> None:
        self.document = document
        self.problems = problems
        self.artifacts: Artifacts | None = None

    def report(self, fault: Fault) -> None:
        """Keep a problem of the document, with its place."""
        if isinstance(fault, EchoFault):
            return
        problem = problem_of(fault, self.document)
        if problem not in self.problems:  # several operations may name one file that is missing
            self.problems.append(problem)

    def named_files(self, resolved: Resolved) -> Artifacts | None:
        """Return the files that the spec may name beside its data; None for one that has no steps to name them."""
        names = any(_names_files(one) for one in _step_lists(self.document.root))
        if self.document.plain(("artifacts",)) is None and not names:
            return None
        from safedata.artifacts import Artifacts
        from safedata.spec.artifacts import ARTIFACTS, Artifact

        declared = (
            self._adapted("artifacts", ARTIFACTS, Artifact) if self.document.get(("artifacts",)) else {}
        )
        spec = next(iter(resolved.files), "SPEC")
        return Artifacts(declared or {}, resolved.folder, spec, refused=declared is None)

    def text(self, key: str) -> str | None:
        """Return a top-level text such as `name`, or None where the spec has none."""
        node = self.document.get((key,))
        if node is None or node.value is None:
            return None
        if not isinstance(node.value, str):
            self.report(
                Fault("SD105", f"`{key}` is text, not {node.shown}", (key,), help=f'write `{key}: "..."`')
            )
            return None
        return node.value

    def section(self, key: str, model: type[_Model]) -> _Model:
        """Return a section's model, all defaults where the spec leaves it out."""
        value = self.document.plain((key,))
        if value is None:
            return model.model_construct()  # which needs no validator, and most specs have few sections
        try:
            return model.model_validate(value)
        except ValidationError as error:
            self.refused(error, (key,), model)
            return model.model_construct()

    def refused(
        self, error: ValidationError, path: Path, model: type[BaseModel] | Sequence[type[BaseModel]]
    ) -> None:
        """Take what a model refused about the value at `path`."""
        from safedata.spec.validation import problems_of  # only for a message

        self.problems += problems_of(error, self.document, path, model)

    def output(self) -> Output | None:
        """Return the structure of what leaves, None where the spec leaves it out."""
        if self.document.plain(("output",)) is None:
            return None
        from safedata.spec.output import OUTPUT

        return self._adapted("output", OUTPUT)

    def targets(self) -> Mapping[str, Target]:
        """Return the machines that the spec describes, by name."""
        if self.document.plain(("targets",)) is None:
            return {}
        from safedata.spec.targets import TARGETS, Target

        return self._adapted("targets", TARGETS, Target) or {}

    def _adapted(
        self, key: str, adapter: TypeAdapter[_Value], model: type[BaseModel] | Sequence[type[BaseModel]] = ()
    ) -> _Value | None:
        try:
            return adapter.validate_python(self.document.plain((key,)))
        except ValidationError as error:
            self.refused(error, (key,), model)
            return None

    def source(self, path: Path = ("source",)) -> tuple[Source, Path] | None:
        """Return the source at a path and the path of its value; None once its faults were reported."""
        node = self.document.get(path)
        if node is None:
            way_out = "add `source: {image_folder: {path: ...}}`, or another source"
            self.report(Fault("SD104", "the spec has no `source`", help=way_out))
            return None
        kinds = registry.names("sources")
        if isinstance(node.value, str) and node.value in kinds:
            return self._made(node.value, None, path)
        if isinstance(node.value, dict) and len(node.value) == 1:
            [(kind, child)] = node.value.items()
            if kind in kinds:
                return self._made(kind, child.plain, (*path, kind))
            self._unknown(kind, "source", kinds, (*path, kind))
            return None
        way_out = f"write one of {', '.join(f'`{one}`' for one in kinds)} with its fields"
        self.report(Fault("SD105", f"`source` names one source, not {node.shown}", path, help=way_out))
        return None

    def _made(self, kind: str, value: object, path: Path) -> tuple[Source, Path] | None:
        found = registry.source(kind)
        if found.combines:
            from safedata.sources._reading import read_combinator  # few specs have one

            made = read_combinator(self, found, path)
            return None if made is None else (made, path)
        if isinstance(value, dict):
            fields = cast("dict[str, object]", value)
        elif value is None:
            fields = {}
        elif found.main is not None:
            fields = {found.main: value}
        else:
            self.report(
                Fault(
                    "SD105",
                    f"`{kind}` takes a mapping of its fields, not `{value}`",
                    path,
                    help=f"write it as `{found.example}`",
                )
            )
            return None
        try:
            return found.model_validate(fields), path
        except ValidationError as error:
            self.refused(error, path, found)
        except Fault as fault:  # of a function that it names
            self.report(fault.under(*path))
        return None

    def steps(self, path: Path = ("steps",)) -> list[Step]:
        """Return every step of the list at a path that could be read; none where it is left out."""
        node = self.document.get(path)
        if node is None or node.value is None:
            return []
        if not isinstance(node.value, list):
            way_out = "write each step on a line of its own, behind `- `"
            self.report(Fault("SD105", f"`steps` is a list of steps, not {node.shown}", path, help=way_out))
            return []
        found = [self._step((*path, number)) for number in range(len(node.value))]
        self._names(found)
        return [step for step in found if step is not None]

    def _names(self, steps: Sequence[Step | None]) -> None:
        seen: set[str] = set()
        for step in steps:
            if step is not None and step.name is not None:
                if step.name in seen:
                    path = (*step.path[:-1], "name")
                    self.report(
                        Fault("SD102", f"two steps have the name `{step.name}`", path, help="rename one")
                    )
                seen.add(step.name)

    def _step(self, path: Path) -> Step | None:
        node = self.document.get(path)
        if node is None:
            return None
        stages = registry.names("stages")
        if isinstance(node.value, str):
            mapping: dict[str, object] = {node.value: None}
        elif isinstance(node.value, dict):
            mapping = cast("dict[str, object]", node.plain)
        else:
            way_out = "write `- batch: 64`"
            self.report(
                Fault("SD105", f"a step is one stage with its fields, not {node.shown}", path, help=way_out)
            )
            return None
        keys = [key for key in mapping if key not in BESIDE]
        known = [key for key in keys if key in stages]
        if len(keys) != 1 or len(known) != 1:
            self._not_one_stage(keys, known, stages, path)
            return None
        [key] = keys
        stage = registry.stage(key)
        beside = {name: value for name, value in mapping.items() if name in ("device", "parallel")}
        for extra in [one for one in beside if one not in stage.model_fields]:
            self.report(
                Fault("SD103", f"`{key}` takes no `{extra}`", (*path, extra), help=f"remove `{extra}`")
            )
            del beside[extra]
        value_path = (*path, key)
        parsing = Parsing(
            value_path, len(value_path), self.report, self._invalid(stage, path), self.artifacts
        )
        made = stage.parse(mapping[key], beside, parsing)
        name = mapping.get("name")
        if name is not None and not isinstance(name, str):
            self.report(Fault("SD105", "a step's `name` is text", (*path, "name"), help="put it in quotes"))
            return None
        return None if made is None else Step(made, value_path, name)

    def _invalid(self, stage: type[Stage], step: Path) -> Any:
        def report(error: ValidationError, path: Path) -> None:
            """Point at the key beside the stage's own where that is what pydantic refused."""
            model = stage if path == (*step, stage.key()) else registry.op(str(path[-1]))
            beside = model is stage and error.errors()[0]["loc"][:1] in (("device",), ("parallel",))
            chained = model is not stage and path[-1:] == ("call",)  # then its fields stand beside its name
            own = path[:-1] if chained else path
            self.refused(error, step if beside else own, model)

        return report

    def _not_one_stage(self, keys: list[str], known: list[str], stages: dict[str, str], path: Path) -> None:
        unknown = [key for key in keys if key not in stages]
        if not keys:
            self.report(Fault("SD104", "the step names no stage", path, help="write `- batch: 64`"))
        elif len(known) > 1:
            way_out = f"make `{known[1]}` a step of its own, behind `- `"
            self.report(
                Fault(
                    "SD105",
                    f"one step names {' and '.join(f'`{k}`' for k in known)}",
                    (*path, known[1]),
                    help=way_out,
                    on_key=True,
                )
            )
        elif known:
            for key in unknown:
                self.report(
                    Fault(
                        "SD103",
                        f"a step has no key `{key}` beside `{known[0]}`",
                        (*path, key),
                        help=f"indent it below `{known[0]}`, or use {', '.join(f'`{one}`' for one in BESIDE)}",
                    )
                )
        else:
            self._unknown(unknown[0], "stage", stages, (*path, unknown[0]))

    def _unknown(self, name: str, what: str, known: Mapping[str, str], path: Path) -> None:
        if name in LATER:
            message = f"`{name}` is part of the language, and not available in this version"
            self.report(Fault("SD110", message, path, help=LATER[name]))
            return
        way_out = did_you_mean(name, known, what=f"{what}s", lists="`safedata schema`")
        self.report(Fault("SD106", f"there is no {what} `{name}`", path, help=way_out))


def _step_lists(node: Node) -> Iterator[Node]:
    """Yield the lists of steps: the spec's own, and those of a combinator's inputs."""
    value: dict[str, Node] = node.value if isinstance(node.value, dict) else {}
    for key, child in value.items():
        if key == "steps":
            yield child
        elif isinstance(child.value, dict):
            yield from _step_lists(child)
        elif isinstance(child.value, list):
            for one in child.value:
                yield from _step_lists(one)


def _names_files(node: Node | None) -> bool:
    """Return whether an operation below a node names an artifact or a file."""
    value = node.value if node else None
    if isinstance(value, list):
        return any(_names_files(one) for one in value)
    if not isinstance(value, dict):
        return False
    named = any(key in value for key in ("artifact", "path", "root"))
    return named or any(_names_files(one) for one in value.values())
