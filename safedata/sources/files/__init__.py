"""Files named by a folder, a pattern or a list; images above all."""
