"""One run of a race in a process of its own: `python -m engine.race_process SETUP [FOLDER]`.

It says its events on the standard output, a line each, and ends after its step when it is asked to (SIGTERM).
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from engine.cli_checkpoints import recorded_policy
from engine.config import RunConfig, config_from_json
from engine.control import RunControl
from engine.errors import InputError
from engine.events import CheckpointSaved, Event, StepFinished, as_json
from engine.preload import share_cores

FLUSH_EVERY = 0.1  # s at most that a step waits to be said
BAD_INPUT = 2  # exit status


def main(arguments: Sequence[str]) -> int:
    """Run the set-up in the file `arguments[0]` and keep its checkpoints in the folder `arguments[1]`, if it is given.

    Returns the exit status: 0 however the run ended, 2 where the set-up cannot be used.
    """
    control = RunControl()

    def stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  # the signal module's own signature
        control.stop()

    signal.signal(signal.SIGTERM, stop)
    share_cores()
    setup, *folders = map(Path, arguments)
    try:
        config = config_from_json(setup.read_text(encoding="utf-8"), source="the set-up of a run of the race")
        _say(_events(config, control, folders[0] if folders else None))
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    except BrokenPipeError:  # nobody listens any more; Python's own flush at the end would say so again
        sys.stdout = None
    return 0


def _events(config: RunConfig, control: RunControl, folder: Path | None) -> Iterator[Event]:
    from engine.training import train

    policy = None if folder is None else recorded_policy(config, folder)
    for event in train(config, control, checkpoints=policy):
        if not isinstance(event, CheckpointSaved):
            yield event


def _say(events: Iterator[Event]) -> None:
    said = 0.0
    for event in events:
        sys.stdout.write(as_json(event) + "\n")
        now = time.monotonic()
        if not isinstance(event, StepFinished) or now - said > FLUSH_EVERY:
            sys.stdout.flush()
            said = now


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
