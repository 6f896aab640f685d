"""The operations that `map` applies, one module each, in families."""
