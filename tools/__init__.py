"""What developers and CI run, and no request ever meets."""
