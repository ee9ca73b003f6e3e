"""Where the person's runs, settings and checkpoints are kept."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def data_folder() -> Path:
    """$LEARNSCOPE_HOME, else the user's data folder as the system has it. It may not exist yet."""
    home = os.environ.get("LEARNSCOPE_HOME")
    return Path(home) if home else Path(platformdirs.user_data_dir("learnscope", appauthor=False))
