"""Find out which local language model to use on this machine, and how sure that is."""

__version__ = "0.1.0"
