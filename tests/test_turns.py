"""Inputs that run one after the other: what the verdict counts of their buffers."""

from __future__ import annotations

import safedata
from safedata.budget import Verdict

PART = '{{source: {{synthetic: {{components: {{x: "uint8[1000]"}}, count: 4000}}}}, steps: [{}]}}'
LARGE, SMALL, READY, KEPT = "{shuffle: 3000}", "{shuffle: 1000}", "{prefetch: 2000}", "cache"
SLOTS = 24 * 1000
"""Bytes of the slots of `SMALL`, which stay."""


def check(source: str) -> Verdict:
    verdict = safedata.check(f"safedata: 1\nsource: {{{source}}}\n", host="1TiB")
    assert not [one for one in verdict.problems if one.severity == "error"], verdict.problems
    return verdict


def buffered(source: str) -> int:
    """Return the bytes that the verdict counts of all buffers."""
    verdict = check(source)
    assert verdict.plan is not None
    buffers = {
        n for n, one in enumerate(verdict.plan.steps) if one.node.title() in ("shuffle", "prefetch", "cache")
    }
    return sum(line.hold.bytes or 0 for line in verdict.lines if line.step in buffers)


def joined(kind: str, *steps: str) -> str:
    """Return a combinator of equal sources with these steps."""
    return f"{kind}: [{', '.join(PART.format(one) for one in steps)}]"


def test_the_fullest_input_counts() -> None:
    """Of a `concatenate` the input that has most in its buffers counts, wherever it stands, and the others' slots."""
    alone = buffered(joined("concatenate", LARGE))
    for steps in ((LARGE, SMALL, READY), (READY, LARGE, SMALL), (SMALL, LARGE)):
        assert buffered(joined("concatenate", *steps)) == alone + SLOTS


def test_what_stays_counts_in_every_input() -> None:
    """A cache of one input stays while another one runs; inputs that take turns element by element all count."""
    assert buffered(joined("concatenate", KEPT, LARGE)) > (4000 + 3000) * 1000
    mixed = buffered(joined("mix", LARGE, SMALL))
    assert mixed > (3000 + 1000) * 1000
    assert mixed - buffered(joined("concatenate", LARGE, SMALL)) >= 1000 * 1000


def test_inputs_of_an_input_count_together() -> None:
    """What runs at the same time inside one input is counted together, and held against the other inputs."""
    mixed = joined("mix", SMALL, READY)
    text = f"concatenate: [{PART.format(SMALL)}, {{source: {{{mixed}}}}}]"
    assert buffered(text) == buffered(mixed) + SLOTS
    assert any("empty while `2` runs" in line.hold.why for line in check(text).lines)
