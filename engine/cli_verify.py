"""The terminal's `runs verify`: a run's script is run, and its weights are compared with the run's."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from engine.cli_events import BAD_INPUT, FAILED, leaving_at_interrupt
from engine.cli_history import print_json, run_number, say
from engine.cli_report import Announcer
from engine.control import RunControl
from engine.errors import InputError
from engine.preload import share_cores
from engine.runs.store import RunStore

if TYPE_CHECKING:
    from engine.cli_past import PastRun
    from engine.script.verify import Verdict

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
            from engine.cli_past import PastRun

            past = PastRun(store, run_id, control=RunControl(), report=Announcer())
            verdict = _verdict(past)
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


def _verdict(past: PastRun) -> Verdict:
    from engine.script.verify import verify
    from engine.weight_hash import weight_hash

    record = past.record
    started, ending = record.started, record.ending
    if started is None:
        raise InputError("RUN", f"run {past.id} never began")
    if ending is None:
        raise InputError("RUN", f"run {past.id} was interrupted and has no end", f"`runs resume {past.id}` before")
    final = past.final()
    if final.doubt:
        raise InputError("RUN", f"its final weights were not kept: {final.doubt}")
    checking = verify(
        past.config,
        record.interventions,
        weight_hash(final.weights),
        threads=started.threads,
        memory_format=started.memory_format,
        device=started.device,
        precision=started.precision,
        stopped_after=past.stopped_after,
        past=past.behind(),
    )
    say("running the script")
    shown = ""
    with closing(checking):
        while True:
            try:
                line = next(checking).line
            except StopIteration as end:
                verdict: Verdict = end.value
                return verdict
            if line and line != shown:
                say(line)
                shown = line
