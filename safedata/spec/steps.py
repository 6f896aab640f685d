"""A list of steps changed by the spec that extends it: replaced, dropped, inserted by name."""

from __future__ import annotations

from typing import Final

from safedata.problem import Problem, Span, did_you_mean
from safedata.spec.node import Node

_PLACES: Final = ("after", "before")


def merge_steps(base: Node, child: Node, problems: list[Problem]) -> Node:
    """Return the child's steps; where each of them names one of `base`, `base` changed by them in order."""
    below = base.value if isinstance(base.value, list) else []
    changes = child.value if isinstance(child.value, list) else []
    if not changes or not all(_is_change(one) for one in changes):
        refuse_edits(child, problems)
        return child
    editor = _Editor(list(below), problems)
    for one in changes:
        editor.change(one)
    return child._replace(value=editor.steps)


def refuse_edits(child: Node, problems: list[Problem]) -> None:
    """Report `after`, `before` and `remove` in a list that changes no other."""
    for step in child.value if isinstance(child.value, list) else []:
        for key in (*_PLACES, "remove"):
            found = _keys(step).get(key)
            if found is not None:
                problems.append(
                    Problem(
                        "SD108",
                        f"`{key}` changes the steps of an extended spec, and there are none here",
                        found.key_span or found.span,
                        notes=(
                            "steps change those below where `extends` names a spec with steps "
                            "and every step here has `name`, `after` or `before`",
                        ),
                        help=f"remove `{key}`, or give every step here a `name`, `after` or `before`",
                    )
                )


def _keys(step: Node) -> dict[str, Node]:
    return step.value if isinstance(step.value, dict) else {}


def _is_change(step: Node) -> bool:
    return any(key in _keys(step) for key in ("name", *_PLACES))


def _name(step: Node) -> str | None:
    found = _keys(step).get("name")
    return found.value if found is not None and isinstance(found.value, str) else None


class _Editor:
    """The steps as they are after the changes so far."""

    def __init__(self, steps: list[Node], problems: list[Problem]) -> None:
        self.steps = steps
        self.problems = problems
        self.tails: dict[str, Node] = {}
        """The step that was last inserted after each name, so that several keep their order."""

    def change(self, step: Node) -> None:
        """Make the change that one step of the child says."""
        keys = _keys(step)
        places = [key for key in _PLACES if key in keys]
        if len(places) == 2:
            self._problem(
                "SD108",
                "a step says both `after` and `before`",
                keys["before"].key_span or step.span,
                "keep one of them",
            )
        elif places:
            self._insert(step, places[0])
        elif "remove" in keys:
            self._remove(step, keys["remove"])
        else:
            at = self._find(keys["name"])
            if at is not None:
                self.steps[at] = step

    def _insert(self, step: Node, place: str) -> None:
        keys = _keys(step)
        at = self._find(keys[place])
        if "remove" in keys:
            span = keys["remove"].key_span or step.span
            self._problem(
                "SD108", f"a step says both `{place}` and `remove`", span, "remove a step by its `name`"
            )
        if at is None:
            return
        anchor = str(keys[place].value)
        inserted = step._replace(
            value={key: node for key, node in keys.items() if key not in (*_PLACES, "remove")}
        )
        if place == "after":
            tail = self.tails.get(anchor)
            positions = [index for index, one in enumerate(self.steps) if one is tail]
            at = (positions[0] if positions else at) + 1
            self.tails[anchor] = inserted
        self.steps.insert(at, inserted)

    def _remove(self, step: Node, flag: Node) -> None:
        keys = _keys(step)
        if flag.value is not True or set(keys) != {"name", "remove"}:
            self._problem(
                "SD108",
                "a step that is removed has its `name` and `remove: true`, nothing else",
                flag.key_span or flag.span,
                f"write `{{name: {_name(step) or '...'}, remove: true}}`",
            )
            return
        at = self._find(keys["name"])
        if at is not None:
            del self.steps[at]

    def _find(self, named: Node) -> int | None:
        """Return where the step of that name stands; report it and return None where there is none."""
        names = [_name(step) for step in self.steps]
        if isinstance(named.value, str) and named.value in names:
            return names.index(named.value)
        known = [name for name in names if name is not None]
        listed = ", ".join(f"`{name}`" for name in known)
        self.problems.append(
            Problem(
                "SD106",
                f"the extended spec has no step named {named.shown}",
                named.span,
                notes=(f"its steps with a name are {listed}" if known else "none of its steps has a name",),
                help=did_you_mean(str(named.value), known, what="steps with a name")
                if known
                else "give the step in the extended spec a `name`",
            )
        )
        return None

    def _problem(self, code: str, message: str, span: Span, way_out: str) -> None:
        self.problems.append(Problem(code, message, span, help=way_out))
