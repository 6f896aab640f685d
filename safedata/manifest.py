"""The manifest: what was built from what, so that somebody else can tell whether theirs is the same."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import Any

from safedata import registry
from safedata._version import __version__
from safedata.budget import Verdict
from safedata.machine.footprint import installed_version
from safedata.plan import Plan, structured
from safedata.problem import DataError, Problem

FORMAT = 1
"""The version of the manifest's own layout."""


def manifest_of(verdict: Verdict) -> dict[str, Any]:
    """Return the manifest of a checked spec: resolved spec, types, cardinality, fingerprint, versions."""
    plan = verdict.plan
    if plan is None:
        raise ValueError("a spec with problems has no manifest")
    return {
        "manifest": FORMAT,
        "spec": verdict.spec,
        "name": plan.program.name,
        "resolved": plan.program.document.plain(),
        "element": {name: str(tensor) for name, tensor in structured(plan).items()},
        "cardinality": str(plan.result.cardinality),
        "evidence": plan.evidence,
        "source": {"fingerprint": plan.inspected.fingerprint, "files": len(plan.inspected.files)},
        "artifacts": plan.program.artifacts.fingerprints if plan.program.artifacts is not None else {},
        **_outside(plan),
        "rewrites": list(plan.rewrites),
        "places": {place: one.bytes for place, one in verdict.places.items()},
        "versions": {
            "safedata": __version__,
            "tensorflow": installed_version(),
            "python": ".".join(str(part) for part in sys.version_info[:3]),
        },
    }


def _outside(plan: Plan) -> dict[str, Any]:
    """Return the code of others that the pipeline runs, with versions; nothing where the spec names none."""
    if not plan.program.allow and not registry.registered:
        return {}
    from safedata.stages._outside import outside

    found = outside(plan.program.source, plan.program.steps)
    every = [
        {"name": one.name, "module": one.home, "version": one.version, "package": one.package}
        for one in found
    ]
    return {"outside": every} if every else {}


def default_path(plan: Plan, spec: str) -> str | None:
    """Return where a spec's manifest goes: beside the spec, `x.yaml` to `x.manifest.json`; None for text."""
    if not plan.program.files:
        return None
    return os.path.splitext(spec)[0] + ".manifest.json"


def check_writable(path: str) -> None:
    """Refuse a place that the manifest cannot be written to, before a long pass rather than after it.

    Raises:
        DataError: SD408, the folder is missing or not writable.
    """
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise _unwritable(path, "its folder does not exist")
    if not os.access(folder, os.W_OK):
        raise _unwritable(path, "its folder cannot be written to")


def _unwritable(path: str, why: str) -> DataError:
    message = f"cannot write the manifest {path}: {why}"
    return DataError([Problem("SD408", message, help="name another place with `--manifest`")])


def write_manifest(manifest: dict[str, Any], path: str) -> None:
    """Write a manifest whole or not at all: under a temporary name, then renamed.

    Raises:
        DataError: SD408, the place cannot be written to.
    """
    folder = os.path.dirname(os.path.abspath(path))
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(prefix=".manifest-", suffix=".json", dir=folder)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(manifest, file, indent=2, ensure_ascii=False)
            file.write("\n")
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise _unwritable(path, error.strerror or str(error)) from None
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)
