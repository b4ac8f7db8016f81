"""Functional mode against TensorFlow Lite's reference kernels, one thread, in one process.

    python3 -m benchmarks.emulator_speed

Needs the corpus of vendor files and ai-edge-litert. Prints processor seconds of one inference
and the process's peak memory; exit status 1 if a limit is exceeded.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

from compiler.emulator.device import Device
from compiler.emulator.model import CompiledModel, random_inputs
from tests.corpus_paths import CORPUS

MODEL = "google-coral+test_data/mobilenet_v1_1.0_224_quant_embedding_extractor"
MOST_TIMES = 20.0
MOST_MEGABYTES = 1000.0
ROUNDS = 3


def best_of(action: Callable[[], object]) -> float:
    """Least processor seconds of some rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        action()
        times.append(time.process_time() - start)
    return min(times)


def main() -> int:
    """Print the comparison."""
    if CORPUS is None:
        print("no vendor corpus")
        return 0
    model = CompiledModel(CORPUS / f"{MODEL}_edgetpu.tflite")
    inputs = random_inputs(model)
    device = Device()
    emulated = best_of(lambda: model.run(inputs, device))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: PLC0415

    interpreter = Interpreter(
        model_path=str(CORPUS / f"{MODEL}.tflite"),
        num_threads=1,
        experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
    )
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], inputs[detail["name"]])
    reference = best_of(interpreter.invoke)
    times = emulated / reference
    print(f"emulator: {emulated:.2f} s, peak memory {megabytes:.0f} MB")
    print(f"TensorFlow Lite reference kernels: {reference:.2f} s")
    print(f"ratio: {times:.2f} (at most {MOST_TIMES:.0f})")
    return int(times > MOST_TIMES or megabytes > MOST_MEGABYTES)


if __name__ == "__main__":
    sys.exit(main())
