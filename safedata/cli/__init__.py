"""The command line: one module for each command.

Nothing here imports the rest of safedata before a command runs, so `--help` and `--version` cost nothing.
"""
