"""Datasets that `Dataset.save` wrote."""
