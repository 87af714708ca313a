"""What `pipeline.cli` runs: one module for each kind of user."""
