"""Under a limit of 1.05 times the estimate the spec finishes, and the same pipeline with AUTOTUNE does not."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

import safedata
from safedata.memory import MIB
from tests.limits import photos, under
from tests.limits.__main__ import SPEC, accepted, by_hand, by_spec, estimate, limit_of
from tests.limits.by_hand import pipeline

pytestmark = pytest.mark.tf

# The kernel takes a control group's limit only from its owner: root, and who was given one, which
# `SAFEDATA_TEST_CGROUP` names. Elsewhere the same laws run under the limits that every user may set.
GROUPS: list[under.Kind] = ["cgroup"] if under.delegated() is not None else []


def test_both_programs_make_the_same_batches(tf: ModuleType, tmp_path: Path) -> None:
    """The comparison is a fair one: over an epoch, the same photos come out of both, in the same batches' sizes."""
    folder = photos.make(tmp_path / "photos", 70)
    seen = []
    for data in (safedata.load(SPEC, data=str(folder)), pipeline(folder)):
        batches = list(data)
        rows = tf.concat([tf.reduce_mean(images, [1, 2, 3]) for images, _ in batches], 0)
        labels = tf.concat([labels for _, labels in batches], 0)
        sizes = [images.shape for images, _ in batches]
        seen.append(
            (sizes, sorted(rows.numpy().round(4).tolist()), int(tf.reduce_sum(tf.cast(labels, tf.int64))))
        )
    assert seen[0] == seen[1]


def test_a_cache_of_all_images_is_refused_beforehand(tmp_path: Path) -> None:
    """Written as a spec, the pipeline that will run out of memory is refused for that limit before it runs."""
    folder = photos.make(tmp_path / "photos", 1000)
    limit = limit_of("resident", estimate(folder))
    assert safedata.check(SPEC, data=str(folder), host=limit).fits
    text = SPEC.read_text().replace("  - batch", "  - cache: memory\n  - batch")
    verdict = safedata.check(text, data=str(folder), host=limit)
    assert [problem.code for problem in verdict.problems if problem.severity == "error"] == ["SD301"]


def test_the_spec_finishes_under_a_limit_of_the_kernel(tmp_path: Path) -> None:
    """With RLIMIT_DATA at 1.05 times the estimate the spec's program goes through its data."""
    folder = photos.make(tmp_path / "photos", 300)
    ended = by_spec(folder, "data", limit_of("data", estimate(folder)), epochs=1)
    assert ended.status == 0, ended.err
    assert ended.out.startswith("finished: 1 epochs, 10 batches")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["data", "resident", "address", *GROUPS])
def test_by_spec_finishes_where_by_hand_does_not(kind: under.Kind, tmp_path: Path) -> None:
    """Under each kind of limit: three epochs by spec, and an end for want of memory with AUTOTUNE and a cache."""
    folder = photos.make(tmp_path / "photos", 2000)
    limit = limit_of(kind, estimate(folder))
    ours = by_spec(folder, kind, limit, epochs=3)
    assert ours.status == 0, ours.err
    assert ours.out.startswith("finished: 3 epochs, 189 batches")
    theirs = by_hand(folder, kind, limit, epochs=3)
    assert theirs.status != 0, theirs.out
    assert theirs.out_of_memory, theirs.err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["data", "address", *GROUPS])
def test_the_smallest_limit_that_check_accepts_is_enough(kind: under.Kind, tmp_path: Path) -> None:
    """What `check` reads from a resource limit or a control group is never more than that really leaves."""
    folder = photos.make(tmp_path / "photos", 300)
    limit = accepted(folder, kind) + 3 * MIB  # a load has imported a little more than a check
    ended = by_spec(folder, kind, limit, epochs=1)
    assert ended.status == 0, ended.err


@pytest.mark.slow
def test_by_hand_finishes_where_there_is_no_limit(tmp_path: Path) -> None:
    """What ends the hand-written program is the limit, nothing else."""
    folder = photos.make(tmp_path / "photos", 2000)
    ended = by_hand(folder, "resident", 16 * 2**30, epochs=2)
    assert ended.status == 0, ended.err
    assert ended.peak > limit_of("resident", estimate(folder))
