"""The terminal's `runs verify`: a run's script is run, and its weights are compared with the run's."""

from __future__ import annotations

import argparse
import sys

from engine.cli_events import BAD_INPUT, FAILED, leaving_at_interrupt
from engine.cli_history import print_json, run_number, say
from engine.cli_report import Announcer
from engine.errors import InputError
from engine.preload import share_cores
from engine.runs.store import RunStore

_STATUSES = {"equal": 0, "different": FAILED, "failed": BAD_INPUT}


def verify(store: RunStore, options: argparse.Namespace) -> int:
    """`runs verify`: 0 where the weights are equal to the last bit, 1 where they are not, 2 where that cannot be found.

    Raises InputError, which is the reason, where there is nothing to compare or no script.
    """
    run_id = run_number(store, options.run)
    store.run(run_id)
    share_cores()
    try:
        with leaving_at_interrupt():
            from engine.run_taking import verified

            verdict = verified(store, run_id, Announcer())
    except InputError as error:
        if options.json:
            print_json({"run": run_id, "outcome": "unverifiable", "message": error.sentence})
        raise
    if options.json:
        found = {"expected": verdict.expected, "found": verdict.found or None, "seconds": verdict.seconds}
        outcome = {"run": run_id, "outcome": verdict.outcome, "message": verdict.message}
        print_json({**outcome, **found, "output": verdict.output})
    else:
        sys.stdout.write(f"{verdict.message}\n")
    if verdict.outcome == "failed":
        say(verdict.output)
    return _STATUSES[verdict.outcome]
