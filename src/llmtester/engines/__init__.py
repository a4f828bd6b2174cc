"""Ways to serve models, behind the doors ``domain.ports.Engine`` and ``domain.ports.Session``."""
