"""What is asked of a model and what counts as good. Imports only the domain."""
