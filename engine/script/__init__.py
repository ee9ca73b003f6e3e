"""A run as a plain PyTorch script that repeats it, and the proof that it does."""

from engine.script.past import Past
from engine.script.writer import write_script

__all__ = ["Past", "write_script"]
