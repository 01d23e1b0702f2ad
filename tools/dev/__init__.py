"""`make dev`: serves while you work, and starts again whenever a file is saved."""
