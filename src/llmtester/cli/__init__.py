"""The command line: signatures, and nothing that a command does not need."""
