"""The curves of a branch: what it goes on from stands behind them, faint, joined where the branch begins."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from engine.events import EpochFinished, Evaluated, Event, Finished, Started, StepFinished
from engine.runs.run_record import Branch
from engine.runs.store import RunStore
from gui.ancestors import READ_STEPS, Ancestor, read_ancestors
from gui.curve_panel import CurvePanel
from gui.plotting.backdrop import BackdropPlot
from gui.plotting.trace import mixed
from gui.run_state import RunState
from gui.theme import DARK, LIGHT
from gui.views.curves import CurvesView
from tests.engine.runs import toy_config

EPOCH, TOTAL = 20, 60  # steps


def course(first: int, last: int, *, loss: float, parent: Branch | None = None, per_epoch: int = EPOCH) -> list[Event]:
    """Steps `first` + 1 … `last` whose loss is `loss` / step."""
    origin = ("", None) if parent is None else (str(parent.run), parent.step)
    started = Started("CPU", 1, "contiguous", "float32", 42, 10, per_epoch, TOTAL, 10 * per_epoch, "mlp", "gaussians")
    events: list[Event] = [
        Started(
            **{name: getattr(started, name) for name in started.__dataclass_fields__ if "parent" not in name},
            parent=origin[0],
            parent_step=origin[1],
        )
    ]
    if not first:
        events.append(Evaluated(0, 3.0, 0.1, None, None, 0.0))
    for step in range(first + 1, last + 1):
        epoch = 1 + (step - 1) // per_epoch
        events.append(StepFinished(step, epoch, loss / step, 0.1, step / 10, 0.5 if step % 5 == 0 else None))
        if step % per_epoch == 0:
            events.append(EpochFinished(epoch, step, 0.5, 0.4, 0.9, None, None, 0.1, step / 10))
    return events


@pytest.fixture
def store(learnscope_home: Path) -> Iterator[RunStore]:
    with RunStore(learnscope_home) as opened:
        yield opened


def record(store: RunStore, events: list[Event], parent: Branch | None = None) -> int:
    with store.record(toy_config(), parent=parent) as recorder:
        for event in events:
            recorder.put(event)
        recorder.put(Finished("completed", TOTAL, 3, 6.0, 1000.0))
    assert recorder.run_id is not None
    return recorder.run_id


@pytest.fixture
def family(store: RunStore) -> tuple[Ancestor, ...]:
    """Of a branch at step 40: its parent, itself a branch at step 20, and the run that one came from."""
    oldest = record(store, course(0, TOTAL, loss=2.0))
    first = Branch(oldest, 20)
    nearest = record(store, course(20, TOTAL, loss=1.0, parent=first), first)
    return read_ancestors(store, Branch(nearest, 40))


@pytest.fixture
def branch(family: tuple[Ancestor, ...]) -> RunState:
    state = RunState()
    state.apply(course(40, 50, loss=0.5, parent=Branch(family[0].run, 40)))
    return state


@pytest.fixture
def view(qtbot: QtBot) -> CurvesView:
    made = CurvesView(DARK)
    qtbot.addWidget(made)
    made.resize(700, 500)
    with qtbot.waitExposed(made):
        made.show()
    return made


def plot(view: CurvesView, name: str = "loss") -> BackdropPlot:
    found = view.findChild(BackdropPlot, f"{name}_plot")
    assert isinstance(found, BackdropPlot)
    return found


def key(panel: CurvePanel) -> dict[str, str]:
    return {entry.label: entry.value for entry in panel.key.entries}


def test_a_run_tells_what_it_is_a_branch_of(family: tuple[Ancestor, ...], branch: RunState) -> None:
    assert branch.branch == Branch(family[0].run, 40)
    branch.reset()
    assert branch.branch is None
    branch.apply(course(0, 3, loss=1.0))
    assert branch.branch is None


def test_parents_are_read_up_to_the_oldest(family: tuple[Ancestor, ...]) -> None:
    nearest, oldest = family
    assert [(run.run, run.step) for run in family] == [(2, 40), (1, 20)]
    assert nearest.state.loss.last_steps.tolist() == list(range(21, TOTAL + 1))
    assert oldest.state.loss.lasts.tolist() == pytest.approx([2.0 / step for step in range(1, TOTAL + 1)])
    assert oldest.state.test_loss.last_steps.tolist() == [0, 20, 40, 60]
    assert TOTAL < READ_STEPS


def test_where_a_parent_is_gone_the_nearer_ones_are_shown(store: RunStore) -> None:
    lost = Branch(77, 20)
    nearest = record(store, course(20, TOTAL, loss=1.0, parent=lost), lost)
    assert [run.run for run in read_ancestors(store, Branch(nearest, 40))] == [nearest]
    assert read_ancestors(store, lost) == ()


def test_a_circle_of_parents_ends(store: RunStore) -> None:
    itself = Branch(1, 20)
    assert record(store, course(20, TOTAL, loss=1.0, parent=itself), itself) == 1
    assert [run.run for run in read_ancestors(store, itself)] == [1]


def test_the_parents_lines_stand_behind_the_branch(
    view: CurvesView, family: tuple[Ancestor, ...], branch: RunState
) -> None:
    view.refresh(branch)
    own = plot(view).x_range
    view.set_ancestors(family)
    shades = {shade.trace.name: shade for shade in plot(view).backdrop}
    common, other = shades["2 0 common"], shades["2 0 other"]
    assert (common.trace.x[0], common.trace.x[-1]) == (21, 40)
    assert (other.trace.x[0], other.trace.x[-1]) == (40, TOTAL)  # joined at the step of the branch
    assert shades["1 0 common"].trace.x[-1] == 20
    assert common.share > other.share
    assert [trace.x[0] for trace in plot(view).traces if trace.style == "line"] == [41]
    assert plot(view).y_range.high >= 2.0  # the parents' first losses fit as well
    assert plot(view).x_range == own
    assert [mark.label for mark in plot(view).marks] == ["run 2 begins", "branch of run 2 at step 40"]
    assert [mark.x for mark in plot(view).marks] == [20, 40]


def test_the_parents_lines_are_seen_in_both_themes(
    view: CurvesView, family: tuple[Ancestor, ...], branch: RunState
) -> None:
    view.refresh(branch)
    view.set_ancestors(family)
    for theme in (DARK, LIGHT):
        view.set_theme(theme)
        target = plot(view)
        picture = target.grab().toImage()
        area = target.area.toAlignedRect()
        wanted = mixed(theme.color("secondary"), theme.color("panel"), plot(view).backdrop[-1].share)
        left = range(area.left(), area.left() + area.width() // 3)
        seen = {picture.pixelColor(x, y).name() for x in left for y in range(area.top(), area.bottom())}
        assert wanted.name() in seen


def test_a_run_that_goes_on_leaves_the_parents_lines_as_they_are(
    view: CurvesView, family: tuple[Ancestor, ...], branch: RunState
) -> None:
    view.refresh(branch)
    view.set_ancestors(family)
    before = plot(view).backdrop
    for step in range(51, 56):
        branch.apply([StepFinished(step, 3, 0.1, 0.1, step / 10)])
        view.refresh(branch)
    assert before
    assert plot(view).backdrop is before
    view.findChild(type(view._smooth), "curves_smoothing").setValue(0)  # type: ignore[union-attr]
    assert plot(view).backdrop is not before


def test_the_key_reads_the_parent_at_the_same_place(
    view: CurvesView, family: tuple[Ancestor, ...], branch: RunState
) -> None:
    view._smooth.setValue(0)  # values as they are
    view.refresh(branch)
    view.set_ancestors(family)
    panel = view.panels["loss"]
    assert key(panel)["train"] == "0.0100"  # 0.5 / 50
    assert key(panel)["run 2"] == "0.0200"  # where the branch is now
    panel.plot.cursor_wanted.emit(45.0)
    assert (key(panel)["train"], key(panel)["run 2"]) == ("0.0111", "0.0222")
    panel.plot.cursor_wanted.emit(30.0)  # before there was the branch
    assert (key(panel)["train"], key(panel)["run 2"]) == ("", "0.0333")
    panel.plot.cursor_wanted.emit(10.0)  # before there was its parent
    assert (key(panel)["train"], key(panel)["run 1"]) == ("", "0.2000")


def test_a_narrow_key_reads_the_parent_in_place_of_single_values(
    view: CurvesView, family: tuple[Ancestor, ...], branch: RunState
) -> None:
    view.refresh(branch)
    view.set_ancestors(family)
    assert "batch" in key(view.panels["loss"])
    view.resize(480, 360)
    view._point(None)
    assert "batch" not in key(view.panels["loss"])
    assert "run 2" in key(view.panels["loss"])


@pytest.mark.parametrize(("axis", "end"), [("Step", 20.0), ("Epoch", 2.0), ("Seconds", 4.0)])
def test_a_branch_with_larger_batches_joins_its_parent_on_every_axis(
    view: CurvesView, family: tuple[Ancestor, ...], axis: str, end: float
) -> None:
    """Its steps are counted as if all epochs had had its batches: step 40 of 20 an epoch is its step 20."""
    state = RunState()
    events = course(20, 30, loss=0.5, parent=Branch(2, 40), per_epoch=EPOCH // 2)
    state.apply([event for event in events if not isinstance(event, StepFinished)])
    state.apply([StepFinished(step, 3, 0.5, 0.1, 2 + step / 10) for step in range(21, 31)])
    view._x_box.setCurrentText(axis)
    view.refresh(state)
    view.set_ancestors(family)
    common = next(shade.trace for shade in plot(view).backdrop if shade.trace.name == "2 0 common")
    assert common.x[-1] == pytest.approx(end)


def test_a_finished_branch_shows_its_parent_as_far_as_both_were_to_go(
    view: CurvesView, family: tuple[Ancestor, ...], branch: RunState
) -> None:
    branch.apply([Finished("stopped", 50, 3, 5.0, 100.0)])
    view.refresh(branch)
    assert plot(view).x_range.high == 50
    view.set_ancestors(family)
    assert plot(view).x_range.high == TOTAL
    view.set_ancestors(())
    assert plot(view).x_range.high == 50
    assert plot(view).backdrop == ()


def test_a_logarithmic_axis_fits_the_parents_too(
    view: CurvesView, family: tuple[Ancestor, ...], branch: RunState
) -> None:
    view.refresh(branch)
    view.set_ancestors(family)
    view._log_action.setChecked(True)
    low, high = plot(view).y_range
    assert low <= math.log10(0.5 / 50)
    assert high >= math.log10(2.0)


def test_a_parent_that_is_not_known_leaves_the_mark(view: CurvesView, branch: RunState) -> None:
    view.refresh(branch)
    assert [(mark.x, mark.label) for mark in plot(view).marks] == [(40, "branch of run 2 at step 40")]
    assert np.isfinite(plot(view).y_range.high)
