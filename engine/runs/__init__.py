"""The history: every run that was made, in one SQLite file."""
