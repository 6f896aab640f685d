"""Artifacts made from data: what `safedata analyze` does, and whether what is there is still of the same data."""
