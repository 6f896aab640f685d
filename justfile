# Everything a change must pass, and the tools that write files.

default: format check

# What CI does.
check: lint types imports docs-check test

format:
    ruff check --fix .
    ruff format .

lint:
    ruff check .
    ruff format --check .

types:
    mypy
    pyright

# Which way imports may go; the contracts are in pyproject.toml.
imports:
    lint-imports

test:
    pytest -n auto --maxprocesses 4

# Memory of every stage and source measured in fresh processes; minutes.
slow:
    pytest -m slow

# Every bound beside what is measured, case by case; writes docs/memory.md and docs/memory.svg. Hours.
bench-memory:
    python -m tests.memory --drawn 60 --keep

# Ratios printed, nothing asserted: cost of a check, throughput beside hand-written tf.data.
bench:
    python -m tests.benchmarks

# Write docs/reference from the code, docs/pipelines.md from the tests.
docs:
    python tools/make_reference.py
    python -m tests.pipelines

docs-check:
    python tools/make_reference.py --check
