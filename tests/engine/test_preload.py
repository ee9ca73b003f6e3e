"""What is arranged before training: memory that stays."""

from __future__ import annotations

import subprocess
import sys

import pytest

COUNT = """
import resource, threading
from engine.config import make_config
from engine.events import StepFinished
from engine.training import train

faults = []

def run():
    settings = {"training.steps": 160, "training.threads": 2, "training.memory_format": "channels_last"}
    for event in train(make_config({"network": "lenet5"}, {**settings, "training.evaluate_first": False})):
        if isinstance(event, StepFinished):
            faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)

thread = threading.Thread(target=run)
thread.start()
thread.join()
print((faults[150] - faults[60]) // 90)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads Linux's page faults")
def test_steps_take_no_new_memory_from_the_system() -> None:
    answer = subprocess.run([sys.executable, "-c", COUNT], capture_output=True, text=True, check=True)
    assert int(answer.stdout) < 200  # pages a step; some 700 where freed memory goes back to the system
