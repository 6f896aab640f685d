"""Datasets that TFDS prepared."""
