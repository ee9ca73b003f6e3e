"""Learnscope's window."""

import os

# pydantic would look through all installed packages for plugins of its own: a tenth of the time to the first paint.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
