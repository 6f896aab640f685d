"""Print the project's ratios: `python -m tests.benchmarks [check|throughput|store|resume]`."""

from __future__ import annotations

import sys

from tests.benchmarks import check_cost, resume, store, throughput

BENCHMARKS = {
    "check": check_cost.main,
    "throughput": throughput.main,
    "store": store.main,
    "resume": resume.main,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"== {name}", flush=True)
        BENCHMARKS[name]()
