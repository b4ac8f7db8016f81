"""Faults seeded into vendor programs, and how the emulator notices them.

    python3 -m benchmarks.emulator_faults [NAME]

Prints the table of docs/emulator.md, "Seeded faults" (markdown), then the faults nobody notices.
"""

from __future__ import annotations

import sys
from collections import Counter

from tests.emulator.fault_runs import OUTCOMES, UNDETECTED, Program, findings
from tests.emulator.test_seeded_faults_full import SITES


def main(wanted: str) -> None:
    """Print the table."""
    names = [outcome for outcome in OUTCOMES if outcome != UNDETECTED]
    print(f"| program | faults | {' | '.join(names)} | no fault | undetected |")
    print(f"|---|---|{'---|' * len(names)}---|---|")
    missed = []
    for name, sites in SITES.items():
        if wanted not in name:
            continue
        found = findings(Program(name), sites)
        counts = Counter(finding.outcome for finding in found)
        unnoticed = [finding for finding in found if finding.outcome == UNDETECTED]
        none = sum(bool(finding.equivalent) for finding in unnoticed)
        numbers = [len(found), *(counts[each] for each in names), none, len(unnoticed) - none]
        print(f"| {name} | {' | '.join(map(str, numbers))} |", flush=True)
        missed += unnoticed
    print(*missed, sep="\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
