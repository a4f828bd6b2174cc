"""What a weight costs in each tensor type: the source of the table in ``analysis.kernels``, no promise of its own.

``python -m benchmarks.kernels``. The embedded engine is timed on one thread as ``api.kernel_times`` times it before a
run. What the bytes cost at the measured speed of the memory is taken off; the rest is work, told relative to Q8_0.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from llmtester.api.kernel_times import CONTEXT_TOK, time_kernels
from llmtester.domain.work import ServerSettings
from llmtester.engines.embedded import EmbeddedEngine
from llmtester.models import ggml, synthetic

SERVER = ServerSettings(context_tok=CONTEXT_TOK, threads=1)


def main() -> None:
    """Print nanoseconds a weight and the work of a weight relative to Q8_0, by type."""
    from llmtester.host.bandwidth import measure_bandwidth
    from llmtester.host.machine import read_machine

    machine = read_machine()
    byte_s = 1 / max(measure_bandwidth(machine) or 0.0 for _ in range(3))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "synthetic"
        tried = time_kernels(EmbeddedEngine(), SERVER, machine, folder, synthetic.TYPES)
    timed = [kernel for kernel in tried.values() if kernel]
    work_s = {
        kernel.tensor_type: kernel.decode_weight_s - ggml.row_bytes(kernel.tensor_type, 256) / 256 * byte_s
        for kernel in timed
    }
    for kernel in timed:
        found = {
            "type": kernel.tensor_type,
            "decode_ns": kernel.decode_weight_s * 1e9,
            "prefill_ns": kernel.prefill_weight_s * 1e9,
            "work": work_s[kernel.tensor_type] / work_s["Q8_0"],
        }
        print(json.dumps(found))


if __name__ == "__main__":
    main()
