"""Run folders on disk: the journal that is the checkpoint, its schema, and the locks."""
