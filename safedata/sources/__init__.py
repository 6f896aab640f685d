"""The sources that a spec can name, one module each."""
