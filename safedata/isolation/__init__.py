"""`safedata.isolated`: a function in a process of its own. Nothing is imported here: the child must start fast."""
