"""What people and programs see of a run: pure renderings of a ``Summary``, and the display of a running journal."""
