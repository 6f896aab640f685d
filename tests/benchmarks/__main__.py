"""Print the project's ratios: `python -m tests.benchmarks [check|throughput]`."""

from __future__ import annotations

import sys

from tests.benchmarks import check_cost, throughput

BENCHMARKS = {"check": check_cost.main, "throughput": throughput.main}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"== {name}", flush=True)
        BENCHMARKS[name]()
