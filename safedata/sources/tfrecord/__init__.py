"""TFRecord files, and what reads their records."""
