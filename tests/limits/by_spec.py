"""The program by spec: `python by_spec.py SPEC FOLDER EPOCHS [HOST]` checks, loads, and takes every batch."""

from __future__ import annotations

import sys
import time


def main(spec: str, folder: str, epochs: int, host: int | None) -> None:
    import safedata
    from safedata.machine import resident

    data = safedata.load(
        spec, host=host, data=folder
    )  # refuses what does not fit the limit that this process is under
    batches = 0
    for _ in range(epochs):
        for _ in data:
            batches += 1
            time.sleep(0.005)  # the training step
    peak = (resident().peak or 0) / 2**20
    sys.stdout.write(f"finished: {epochs} epochs, {batches} batches, peak {peak:.0f} MiB\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]) if len(sys.argv) > 4 else None)
