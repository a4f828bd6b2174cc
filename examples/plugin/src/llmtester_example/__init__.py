"""An example of a plugin for llmtester: one profile, one engine."""
