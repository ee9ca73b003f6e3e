"""The history that is opened to be measured."""

from __future__ import annotations

from pathlib import Path

from engine.runs.store import RunStore
from tests.bench.past_runs import LONG, SHORT_STEPS, make_history


def test_a_history_has_the_runs_and_points_that_were_asked_for_and_all_can_be_read(tmp_path: Path) -> None:
    long = 3000
    last = make_history(tmp_path, runs=LONG + 20, points=LONG * long + 20 * SHORT_STEPS)
    with RunStore(tmp_path) as store:
        assert store.problem is None
        runs = store.runs()
        assert sorted(run.recorded for run in runs) == [SHORT_STEPS] * 20 + [long] * LONG
        assert {run.status for run in runs} == {"finished"}
        assert runs[0].id == last
        for run in runs:
            record = store.run(run.id)
            assert len(record.steps()) == run.recorded
            assert len(record.evaluations()) == run.recorded // 430
            assert record.ending is not None
