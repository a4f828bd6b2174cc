"""The words of llmtester as types: standard library only, no I/O, imported by every other layer."""
