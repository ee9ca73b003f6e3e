"""Compared runs that are under way grow in the panel while it is seen."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from engine.events import EpochFinished, Evaluated, Finished, Started, StepFinished
from engine.runs.recorder import RunRecorder
from engine.runs.store import RunStore
from gui.compare_panel import LOOKS_EVERY, ComparePanel
from gui.comparison import read_comparison, read_news
from gui.theme import DARK
from tests.engine.runs import toy_config
from tests.gui.fake_bench import FakeBench
from tests.gui.test_compare_panel import cells, plot, press, record

EPOCH, TOTAL = 20, 200  # steps


@pytest.fixture
def store(learnscope_home: Path) -> Iterator[RunStore]:
    with RunStore(learnscope_home) as opened:
        yield opened


@pytest.fixture
def recorder(store: RunStore) -> Iterator[RunRecorder]:
    """Of a run that has begun, the history's second."""
    record(store, rate=0.1, seed=0, fall=0.01)
    with store.record(toy_config(optimizer__learning_rate=0.2)) as under_way:
        under_way.put(Started("CPU", 1, "contiguous", "float32", 42, 10, EPOCH, TOTAL, 200, "mlp", "gaussians"))
        under_way.put(Evaluated(0, 1.0, 0.1, None, None, 0.0))
        yield under_way


@pytest.fixture
def panel(qtbot: QtBot, store: RunStore) -> ComparePanel:
    bench = FakeBench(toy_config())
    bench.store = store
    made = ComparePanel(bench, DARK)
    made.resize(700, 700)
    qtbot.addWidget(made)
    with qtbot.waitExposed(made):
        made.show()
    return made


def tell(recorder: RunRecorder, first: int, last: int) -> None:
    for step in range(first, last + 1):
        recorder.put(StepFinished(step, 1 + (step - 1) // EPOCH, 1 - step / 1000, 0.2, step / 10))
        if step % EPOCH == 0:
            share = step / TOTAL
            recorder.put(EpochFinished(step // EPOCH, step, 0.5, 1 - share, share, None, None, 0.2, step / 10))


def kept(store: RunStore, step: int) -> bool:
    return store.run(2).summary.step >= step


def test_a_run_under_way_grows_where_it_is_seen(panel: ComparePanel, recorder: RunRecorder, qtbot: QtBot) -> None:
    panel.prepare({"runs": [1, 2]})
    assert [trace.name for trace in plot(panel, "loss").traces] == ["1"]
    assert panel._looks.isActive()
    assert panel._looks.interval() >= 500 == LOOKS_EVERY  # ms
    before = plot(panel, "loss").traces[0]
    tell(recorder, 1, 30)
    qtbot.waitUntil(lambda: len(plot(panel, "loss").traces) == 2 and cells(panel)[2][5] == "30")
    first, second = plot(panel, "loss").traces
    assert first is before  # what has ended is not drawn anew
    assert second.x.tolist() == list(range(1, 31))
    assert 40 < plot(panel, "loss").x_range.high <= TOTAL  # with room to grow
    tell(recorder, 31, 45)
    qtbot.waitUntil(lambda: plot(panel, "loss").traces[1].x[-1] == 45)
    press(panel, "compare_source_test")
    assert plot(panel, "accuracy").traces[1].low.tolist() == pytest.approx([0.1, 0.1, 0.2])
    recorder.put(Finished("stopped", 45, 3, 4.5, 100.0))
    recorder.close()
    qtbot.waitUntil(lambda: not panel._looks.isActive())
    assert plot(panel, "loss").x_range.high == 40  # of the last evaluation


def test_what_was_thought_to_grow_is_what_a_fresh_look_shows(
    store: RunStore, recorder: RunRecorder, qtbot: QtBot
) -> None:
    comparison = read_comparison(store, [2])
    run = comparison.runs[0]
    for last in (7, 40, 41, 90):
        tell(recorder, run.last_step + 1, last)
        qtbot.waitUntil(partial(kept, store, last))
        [news] = read_news(store, {2: run.last_step})
        assert run.take(news)
    fresh = read_comparison(store, [2]).runs[0]
    for measure in ("loss", "accuracy"):
        for source in ("train", "validation", "test"):
            grown, whole = run.curve(measure, source), fresh.curve(measure, source)
            assert (grown is None) == (whole is None)
            if grown is not None and whole is not None:
                assert grown.steps.tolist() == whole.steps.tolist()
                assert grown.values.tolist() == pytest.approx(whole.values.tolist())
    assert run.summary == fresh.summary


def test_a_record_that_went_back_is_read_anew(store: RunStore, recorder: RunRecorder, qtbot: QtBot) -> None:
    tell(recorder, 1, 30)
    qtbot.waitUntil(lambda: kept(store, 30))
    run = read_comparison(store, [2]).runs[0]
    [news] = read_news(store, {2: 10})
    assert len(news.steps) == 20
    assert not run.take(news)  # it would have steps twice
    assert read_news(store, {99: 0}) == []


def test_a_hidden_panel_looks_at_nothing(panel: ComparePanel, recorder: RunRecorder) -> None:  # noqa: ARG001
    panel.prepare({"runs": [1, 2]})
    assert panel._looks.isActive()
    panel.hide()
    assert not panel._looks.isActive()
    panel.show()
    assert panel._looks.isActive()


def test_a_run_that_is_continued_is_noticed(
    panel: ComparePanel, store: RunStore, recorder: RunRecorder, qtbot: QtBot
) -> None:
    tell(recorder, 1, 10)
    recorder.put(Finished("stopped", 10, 1, 1.0, 100.0))
    recorder.close()
    panel.prepare({"runs": [2]})
    assert not panel._looks.isActive()
    with store.resume(2) as again:
        tell(again, 11, 15)
        qtbot.waitUntil(lambda: kept(store, 15))
        bench = panel._bench
        assert isinstance(bench, FakeBench)
        panel.refresh()  # nothing is another here
        bench.run_state.generation += 1
        panel.refresh()
        assert panel._looks.isActive()
        assert plot(panel, "loss").traces[0].x[-1] == 15
