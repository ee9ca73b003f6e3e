"""What the window has done on other threads; nothing else in `gui` knows of threads.

`Bridge` is what the window holds. It hands questions in at the `Desk`, whose `Answerer`s are threads, and takes
what still counts of the answers out as signals; a run and a race have threads of their own. What is done there is
written as plain functions without Qt: `answers`, `saving`, `going_back`, `tool_jobs`.
"""

from gui.bridge.answerer import Cancelled
from gui.bridge.bridge import Bridge
from gui.bridge.going_back import TRAINING_AGAIN
from gui.bridge.run_thread import Provenance
from gui.bridge.runs import FRAME

__all__ = ["FRAME", "TRAINING_AGAIN", "Bridge", "Cancelled", "Provenance"]
