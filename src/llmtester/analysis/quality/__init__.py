"""From the answers of a reference and of its quantizations to what the quantization cost. Pure."""
