"""Back to any step of a run, and on from there another way."""
