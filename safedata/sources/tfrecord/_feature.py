"""What is known of the images inside a feature of the examples in TFRecord files."""

from __future__ import annotations

from safedata.examples.feature import Feature
from safedata.memory import Evidence
from safedata.sources._survey import Seen
from safedata.types import Dim, Encoded


def encoded_of(feature: Feature, seen: Seen, evidence: Evidence) -> Encoded | None:
    """Return what is declared, else what was seen, of the images inside a feature."""
    if feature.max_size is None:
        return seen.encoded(evidence)
    height, width = feature.max_size
    known = seen.images and evidence == "measured"
    formats = frozenset(seen.formats) if known else frozenset[str]()
    kept = seen.coefficients if known and formats else None
    return Encoded(
        Dim.at_most(height, "declared"), Dim.at_most(width, "declared"), formats, coefficients=kept
    )
