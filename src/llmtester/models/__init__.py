"""Model files of this machine: found, read, judged, fetched, verified. The door is ``library.ModelManager``."""
