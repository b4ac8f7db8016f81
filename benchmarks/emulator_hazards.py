"""Every vendor program in concurrent mode at random speeds of the units: none may give a report.

    python3 -m benchmarks.emulator_hazards [--seeds 1,2] [--no-values] [NAME ...]

Prints a table (markdown): instructions of the program, clock cycles and reports at each seed
("nominal" for the nominal speeds), CPU seconds of all runs and the peak of memory. NAME: only
programs whose name contains one of these. --no-values leaves out the sums of tensor ops, and the
comparison with the functional mode; two writes of one value are reports then. Exit status 1 if
there is a report, or a value that the functional mode does not give.
"""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

from tests.emulator.concurrent_runs import (
    Found,
    VendorProgram,
    examine,
    schedule,
    vendor_programs,
)


def measure(
    program: VendorProgram, seeds: Sequence[int | None], *, values: bool
) -> tuple[Found, int, float, int]:
    """(what was found, instructions, seconds, peak of memory in MB), in a process of its own."""
    gc.disable()
    found = (examine if values else schedule)(program, seeds)
    seconds = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    return found, program.instructions(), seconds, peak


def _seeds(text: str) -> list[int | None]:
    return [None if part == "nominal" else int(part) for part in text.split(",")]


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=_seeds, default=[1, 2])
    parser.add_argument("--no-values", action="store_true")
    parser.add_argument("names", nargs="*", default=[""])
    options = parser.parse_args(arguments)
    chosen = [p for p in vendor_programs() if any(name in p.label for name in options.names)]
    print("| program | instructions | cycles | reports | seconds | MB |\n|---|---|---|---|---|---|")
    failed = 0
    for program in chosen:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, context) as pool:
            found, instructions, seconds, peak = pool.submit(
                measure, program, options.seeds, values=not options.no_values
            ).result()
        reports = [len(each) for each in found.reports]
        failed += any(reports) or not found.same_values
        cycles = " ".join(f"{each:,}" for each in found.cycles)
        counts = " ".join(map(str, reports)) + ("" if found.same_values else ", other values")
        print(
            f"| {program} | {instructions:,} | {cycles} | {counts} | {seconds:.0f} | {peak} |",
            flush=True,
        )
        for text in [text for each in found.reports for text in each][:5]:
            print(f"    {text}", file=sys.stderr, flush=True)
    print(f"{len(chosen)} programs, {failed} with reports", file=sys.stderr)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
