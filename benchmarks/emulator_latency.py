"""Latency estimates of the concurrent mode against published inference times.

    python3 -m benchmarks.emulator_latency [NAME]

Published: coral.ai's benchmarks and model pages, desktop and USB 3, milliseconds. Exit status 1
if an estimate is off by more than the limit.
"""

from __future__ import annotations

import sys

from compiler.emulator.device import Device
from compiler.emulator.model import CompiledModel, random_inputs
from compiler.emulator.profile import latency
from tests.corpus_paths import CORPUS

PUBLISHED = {
    "google-coral+test_data/mobilenet_v1_0.25_128_quant": 0.9,
    "google-coral+test_data/mobilenet_v1_1.0_224_quant_embedding_extractor": 2.4,
    "google-coral+edgetpu/test_data/mobilenet_v2_1.0_224_inat_bird_quant": 2.6,
    "google-coral+test_data/posenet/posenet_mobilenet_v1_075_353_481_16_quant_decoder": 5.8,
}
LIMIT = 0.20


def main(wanted: str) -> int:
    """Print the table."""
    if CORPUS is None:
        print("no vendor corpus")
        return 0
    print("| model | cycles | chip ms | link ms | estimate ms | published ms | difference |")
    print("|---|---|---|---|---|---|---|")
    worst = 0.0
    for name, published in PUBLISHED.items():
        if wanted not in name:
            continue
        model = CompiledModel(CORPUS / f"{name}_edgetpu.tflite")
        result = model.run(random_inputs(model), Device("concurrent"), partial=True)
        chip, link = (sum(parts) * 1e3 for parts in zip(*map(latency, result.runs), strict=True))
        cycles = sum(run.cycles or 0 for run in result.runs)
        error = (chip + link) / published - 1
        worst = max(worst, abs(error))
        print(
            f"| {name.rsplit('/', 1)[1]} | {cycles:,.0f} | {chip:.2f} | {link:.2f} "
            f"| {chip + link:.2f} | {published} | {error:+.0%} |",
            flush=True,
        )
    return int(worst > LIMIT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
