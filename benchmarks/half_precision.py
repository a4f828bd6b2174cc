"""A quantized GGUF file rewritten with 16-bit weights."""

from __future__ import annotations

from pathlib import Path


def write_half_precision(source: Path, destination: Path) -> Path:
    """The same model and metadata; every tensor that is not 32-bit becomes 16-bit."""
    import numpy as np
    from gguf import GGUFReader, GGUFValueType, GGUFWriter
    from gguf.quants import dequantize

    reader = GGUFReader(source)
    writer = GGUFWriter(destination, str(reader.fields["general.architecture"].contents()))
    for entry in reader.fields.values():
        if entry.name.startswith("GGUF.") or entry.name == "general.architecture":
            continue
        kind = entry.types[0]
        element = entry.types[-1] if kind == GGUFValueType.ARRAY else None
        value = 1 if entry.name == "general.file_type" else entry.contents()
        writer.add_key_value(entry.name, value, kind, sub_type=element)
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, values if tensor.tensor_type.name == "F32" else values.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return destination
