"""On two cores, each of a run's two threads has its own; everything else goes where it likes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# In a process that has two cores: where its threads may run, in the midst of runs and after them.
SCRIPT = """
import json, os, sys, threading
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
from engine.config import make_config
from engine.events import StepFinished
from engine.training import train

def places():
    tasks = [int(name) for name in os.listdir("/proc/self/task")]
    return {task: sorted(os.sched_getaffinity(task)) for task in tasks}

def run():
    for _ in range(2):
        for event in train(make_config({"network": "lenet5"}, json.loads(sys.argv[1]))):
            if isinstance(event, StepFinished) and event.step == 3:
                found = places()
                alone = [cores for cores in found.values() if len(cores) == 1]
                seen.append({"alone": sorted(alone), "caller": len(found[threading.get_native_id()])})
        seen.append({"after": [cores for cores in places().values() if len(cores) == 1]})

seen = []
where = threading.Thread(target=run)
where.start()
where.join()
print(json.dumps({"cores": sorted(os.sched_getaffinity(0)), "seen": seen}))
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or len(os.sched_getaffinity(0)) < 2, reason="needs Linux and two cores"
)


def _told(settings: dict[str, object]) -> tuple[list[int], list[dict[str, object]]]:
    whole = json.dumps({"training.steps": 5, **settings})
    run = subprocess.run([sys.executable, "-c", SCRIPT, whole], capture_output=True, text=True, check=True)
    told = json.loads(run.stdout)
    return told["cores"], told["seen"]


def test_two_threads_have_a_core_each_while_they_train_and_every_one_afterwards() -> None:
    cores, seen = _told({"training.threads": 2})
    during = {"alone": [[core] for core in cores], "caller": 1}
    assert seen == [during, {"after": []}, during, {"after": []}]


# How many cores the thread has that writes checkpoints, which the run's thread starts.
WRITER = """
import os, sys, threading
from pathlib import Path
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
from engine.checkpoint_folder import CheckpointPolicy
from engine.config import make_config
from engine.events import CheckpointSaved
from engine.training import train

policy = CheckpointPolicy(folder=Path(sys.argv[1]), every_steps=1)
config = make_config({"network": "lenet5"}, {"training.threads": 2, "training.steps": 300})
for event in train(config, checkpoints=policy):
    if isinstance(event, CheckpointSaved):
        writer = next(thread for thread in threading.enumerate() if thread.name == "checkpoints")
        print(len(os.sched_getaffinity(threading.get_native_id())), len(os.sched_getaffinity(writer.native_id)))
        break
"""


def test_the_thread_that_writes_checkpoints_goes_where_it_likes(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", WRITER, str(tmp_path)], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["1", "2"]


# How many cores the calling thread has: in a second run, after the first one was dropped, after both were.
TURNS = """
import os
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
from engine.config import make_config
from engine.events import StepFinished
from engine.training import train

def begun():
    run = train(make_config({"network": "lenet5"}, {"training.threads": 2, "training.steps": 5}))
    while not isinstance(next(run), StepFinished):
        pass
    return run

first, second = begun(), begun()
print(len(os.sched_getaffinity(0)))
first.close()
print(len(os.sched_getaffinity(0)))
second.close()
print(len(os.sched_getaffinity(0)))
"""


def test_of_two_runs_in_turns_the_one_that_ends_leaves_the_other_its_cores() -> None:
    run = subprocess.run([sys.executable, "-c", TURNS], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["1", "1", "2"]


def test_measuring_thread_counts_first_makes_no_difference() -> None:
    cores, seen = _told({"training.batch_size": 2_000})  # so large that two threads are faster
    during = {"alone": [[core] for core in cores], "caller": 1}
    assert seen == [during, {"after": []}, during, {"after": []}]


def test_one_thread_goes_where_it_likes() -> None:
    _, seen = _told({"training.threads": 1})
    during = {"alone": [], "caller": 2}
    assert seen == [during, {"after": []}, during, {"after": []}]
