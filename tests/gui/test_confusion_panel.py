"""The confusion panel: whose confusion it shows, how it is read, and how little it asks for."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from engine.config import make_config
from engine.errors import InputError
from engine.inspection.confusion import Confusion, confusion_matrix
from engine.live import LiveNetwork, untrained
from gui import confusion_count
from gui.colormap import ZERO_LEVEL
from gui.confusion_layout import Cell, colour_levels, matrix_layout, named
from gui.confusion_panel import HINT, ConfusionPanel
from gui.confusion_words import NO_CONFIG
from gui.theme import DARK, LIGHT
from gui.views.confusion_matrix import ConfusionMatrix, about_class, contrast, sentence
from gui.views.sample_grid import SampleGrid
from tests.engine.runs import dataset_of, tiny_library
from tests.gui.fake_bench import FakeBench
from tests.gui.parts import label, move_mouse, table


def network(seed: int, **picks: str) -> LiveNetwork:
    return untrained(make_config({"network": "lenet3", **picks}, {"training.seed": seed}))


def bench_of(**picks: str) -> FakeBench:
    config = make_config({"network": "lenet3", **picks})
    bench = FakeBench(config)
    bench.data = dataset_of(config, tiny_library())
    bench.network = untrained(config)
    return bench


def at_step(bench: FakeBench, step: int, status: str = "paused") -> None:
    """As if a run had come to `step`, with weights of another seed where it does not go on."""
    bench.run_state.status = status  # type: ignore[assignment]
    bench.run_state.step = bench.network_step = step
    if status != "running":
        bench.network = network(step)


def opened(qtbot: QtBot, bench: FakeBench) -> ConfusionPanel:
    panel = ConfusionPanel(bench, LIGHT)
    qtbot.addWidget(panel)
    panel.resize(380, 560)
    with qtbot.waitExposed(panel):
        panel.show()
    panel.activateWindow()  # else it gets no keys
    return panel


def matrix(panel: QWidget) -> ConfusionMatrix:
    found = panel.findChild(ConfusionMatrix, "confusion_matrix")
    assert isinstance(found, ConfusionMatrix)
    return found


def shown(panel: ConfusionPanel) -> np.ndarray:
    """The counts, as the table that is saved has them."""
    rows = list(csv.reader(io.StringIO(panel.table_csv().decode())))
    return np.array([[int(count) for count in row[1:]] for row in rows[1:]])


def expected(bench: FakeBench) -> np.ndarray:
    assert bench.network is not None
    assert bench.data is not None
    found = confusion_matrix(bench.network, bench.data.test)
    assert found is not None
    return found


def confusion(counts: list[list[int]], names: tuple[str, ...] = ()) -> Confusion:
    made = np.array(counts)
    true, given = (np.repeat(axis.ravel(), made.ravel()) for axis in np.indices(made.shape))
    numbers = np.arange(len(true))
    classes = names or tuple(str(number) for number in range(len(made)))
    return Confusion(classes=classes, numbers=numbers, true=true, given=given, of=len(true), counts=made)


class TestWhose:
    def test_that_of_the_untrained_network_at_first(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        assert np.array_equal(shown(panel), expected(bench))
        assert label(panel, "confusion_note") == "of all 32 test pictures, untrained network"
        right = np.trace(expected(bench)) / 32
        assert label(panel, "confusion_accuracy") == f"Accuracy {100 * right:.1f}\u2009%"

    def test_then_that_of_the_step_on_screen(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        before = shown(panel)
        at_step(bench, 1200)
        panel.refresh()
        assert np.array_equal(shown(panel), expected(bench))
        assert not np.array_equal(shown(panel), before)
        assert label(panel, "confusion_note").endswith("network at step 1\u2009200")

    def test_each_class_has_its_figures(self, qtbot: QtBot) -> None:
        bench = bench_of()
        rows = table(opened(qtbot, bench), "confusion_classes").rows
        counts = expected(bench)
        assert [int(row[1]) for row in rows] == counts.sum(axis=1).tolist()
        for number, row in enumerate(rows):
            given = counts[:, number].sum()
            share = f"{100 * counts[number, number] / given:.1f}\u2009%" if given else "–"
            assert row[3] == share

    def test_points_have_it_too(self, qtbot: QtBot) -> None:
        bench = bench_of(dataset="spirals", network="mlp")
        panel = opened(qtbot, bench)
        assert np.array_equal(shown(panel), expected(bench))
        assert "500 test points" in label(panel, "confusion_note")
        matrix(panel).chosen.emit(None)
        place = np.unravel_index(int(expected(bench).argmax()), (2, 2))
        choose(panel, Cell(int(place[0]), int(place[1])))
        rows = table(panel, "confusion_points").rows
        assert bench.data is not None
        first = bench.data.test.inputs[int(rows[0][0])].tolist()
        assert [float(text.replace("−", "-")) for text in rows[0][1:]] == pytest.approx(first, abs=1e-2)

    def test_torchs_random_state_is_left_alone(self, qtbot: QtBot) -> None:
        before = torch.get_rng_state()
        opened(qtbot, bench_of())
        assert torch.equal(torch.get_rng_state(), before)


class TestNothingToShow:
    def test_is_said_where_there_are_no_classes(self, qtbot: QtBot) -> None:
        bench = bench_of(dataset="line_points", network="linear", loss="mse")
        panel = opened(qtbot, bench)
        assert "not classes" in label(panel, "confusion_message")
        assert not matrix(panel).isVisible()
        assert not save_button(panel).isEnabled()

    def test_is_said_while_the_set_up_has_a_mistake(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        bench.current = None
        panel.refresh()
        assert label(panel, "confusion_message") == NO_CONFIG
        bench.current = make_config({"network": "lenet3"})
        panel.refresh()
        assert not message(panel).isVisible()
        assert matrix(panel).isVisible()

    def test_is_said_where_the_dataset_cannot_be_had(self, qtbot: QtBot) -> None:
        bench = bench_of()
        bench.data = None
        assert "is not here" in label(opened(qtbot, bench), "confusion_message")

    def test_while_the_network_is_of_another_dataset(self, qtbot: QtBot) -> None:
        bench = bench_of()
        bench.network = network(0, dataset="fashion_mnist")
        assert "made ready" in label(opened(qtbot, bench), "confusion_message")

    def test_settings_are_refused(self, qtbot: QtBot) -> None:
        panel = opened(qtbot, bench_of())
        panel.prepare({})
        with pytest.raises(InputError, match="no such setting"):
            panel.prepare({"cell": 3})


class TestHowLittle:
    @pytest.fixture
    def parts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A test set of 32 is counted in many parts."""
        monkeypatch.setattr(confusion_count, "SUBSET", 20)
        monkeypatch.setattr(confusion_count, "FIRST", 0.0)
        monkeypatch.setattr(confusion_count, "SLICE", 0.0)
        monkeypatch.setattr(confusion_count, "LEAST_A_CLASS", 2)
        monkeypatch.setattr(confusion_count, "TELL_EVERY", 0)

    def test_nothing_is_asked_where_nothing_has_changed(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        bench.later = True
        panel.refresh()
        assert not bench.jobs
        at_step(bench, 3)
        panel.refresh()
        assert list(bench.jobs) == ["confusion"]

    @pytest.mark.usefixtures("parts")
    def test_a_part_is_shown_first_and_completed(self, qtbot: QtBot) -> None:
        bench = bench_of()
        bench.later = True
        panel = opened(qtbot, bench)
        seen = []
        while bench.jobs:
            bench.jobs.pop("confusion")()
            seen.append(label(panel, "confusion_note").split(",", maxsplit=1)[0])
        assert seen[0] == "of 10 of 32 test pictures"
        assert seen[-1] == "of all 32 test pictures"
        assert len(seen) > 2
        assert np.array_equal(shown(panel), expected(bench))

    @pytest.mark.usefixtures("parts")
    def test_a_newer_step_ends_the_count_of_an_older_one(self, qtbot: QtBot) -> None:
        bench = bench_of()
        bench.later = True
        panel = opened(qtbot, bench)
        bench.jobs.pop("confusion")()
        older = bench.jobs.pop("confusion")
        at_step(bench, 7)
        panel.refresh()
        newer = bench.jobs.pop("confusion")
        older()
        assert "untrained" in label(panel, "confusion_note")
        assert not bench.jobs
        newer()
        bench.run_jobs()
        assert label(panel, "confusion_note") == "of all 32 test pictures, network at step 7"
        assert np.array_equal(shown(panel), expected(bench))

    def test_there_are_answers_while_one_hurries_along_the_run(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        bench.later = True
        jobs = []
        for step in (7, 8, 9):
            at_step(bench, step)
            panel.refresh()
            jobs.append(bench.jobs.pop("confusion"))
        jobs[1]()
        assert label(panel, "confusion_note").endswith("network at step 8")
        jobs[0]()
        assert label(panel, "confusion_note").endswith("network at step 8")
        jobs[2]()
        assert label(panel, "confusion_note").endswith("network at step 9")
        assert np.array_equal(shown(panel), expected(bench))

    @pytest.mark.usefixtures("parts")
    def test_during_a_run_a_part_is_enough_and_seldom(self, qtbot: QtBot) -> None:
        bench = bench_of()
        at_step(bench, 5, "running")
        panel = opened(qtbot, bench)
        assert label(panel, "confusion_note") == "of 20 of 32 test pictures, network at step 5"
        bench.later = True
        at_step(bench, 6, "running")
        panel.refresh()
        assert not bench.jobs
        bench.run_state.status = "paused"
        panel.refresh()
        bench.run_jobs()
        assert label(panel, "confusion_note") == "of all 32 test pictures, network at step 6"

    @pytest.mark.usefixtures("parts")
    def test_during_a_run_the_picture_is_always_of_as_many(self, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(confusion_count, "EVERY", 0.0)
        monkeypatch.setattr(confusion_count, "SHARE", 1e9)
        bench = bench_of()
        at_step(bench, 5, "running")
        panel = opened(qtbot, bench)
        bench.later = True
        at_step(bench, 6, "running")
        panel.refresh()
        seen = []
        while bench.jobs:
            bench.jobs.pop("confusion")()
            seen.append(label(panel, "confusion_note").removeprefix("of 20 of 32 test pictures, network at "))
        assert seen == ["step 5"] * (len(seen) - 1) + ["step 6"]
        assert len(seen) > 1

    @pytest.mark.usefixtures("parts")
    def test_going_back_during_a_run_is_answered_at_once(self, qtbot: QtBot) -> None:
        bench = bench_of()
        at_step(bench, 5, "running")
        panel = opened(qtbot, bench)
        bench.network, bench.network_step = network(9), 2
        panel.refresh()
        assert label(panel, "confusion_note").endswith("network at step 2")

    @pytest.mark.usefixtures("parts")
    def test_what_is_hidden_counts_no_further(self, qtbot: QtBot) -> None:
        bench = bench_of()
        bench.later = True
        panel = opened(qtbot, bench)
        bench.jobs.pop("confusion")()
        panel.hide()
        bench.jobs.pop("confusion")()
        panel.refresh()
        assert not bench.jobs
        panel.show()
        bench.run_jobs()
        assert "all 32" in label(panel, "confusion_note")


class TestReading:
    def test_by_mouse(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        assert label(panel, "confusion_reading") == HINT
        true, given = busiest(bench)
        move_mouse(matrix(panel), at(matrix(panel), Cell(true, given)))
        count, row = expected(bench)[true, given], expected(bench)[true].sum()
        assert label(panel, "confusion_reading").startswith(f"{true} taken for {given}: {count} of {row} (")

    def test_by_keys(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        view = matrix(panel)
        view.setFocus()
        qtbot.waitUntil(view.hasFocus)
        assert label(panel, "confusion_reading").startswith("0 recognised: ")
        for key in (Qt.Key.Key_Down, Qt.Key.Key_Down, Qt.Key.Key_Right):
            QTest.keyClick(view, key)
        assert label(panel, "confusion_reading").startswith("2 taken for 1: ")
        assert view.accessibleDescription().startswith("2 taken for 1: ")
        QTest.keyClick(view, Qt.Key.Key_End)
        QTest.keyClick(view, Qt.Key.Key_Right)
        assert label(panel, "confusion_reading").startswith("9 recognised: ")
        QTest.keyClick(view, Qt.Key.Key_Return)
        assert view.choice == Cell(9, 9)
        QTest.keyClick(view, Qt.Key.Key_Return)
        assert view.choice is None

    def test_a_click_shows_the_samples(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        true, given = busiest(bench)
        choose(panel, Cell(true, given))
        grid = samples(panel)
        assert list(grid.numbers) == wanted_in(bench, Cell(true, given))
        assert grid.isVisible()
        assert label(panel, "confusion_cell") == f"{true} taken for {given}"
        choose(panel, Cell(true, given))
        assert not grid.isVisible()

    def test_the_samples_follow_the_network(self, qtbot: QtBot) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        choose(panel, Cell(*busiest(bench)))
        choice = matrix(panel).choice
        assert choice is not None
        at_step(bench, 4)
        panel.refresh()
        assert matrix(panel).choice == choice
        assert list(samples(panel).numbers) == wanted_in(bench, choice)

    def test_a_name_tells_its_class(self) -> None:
        found = confusion([[6, 2], [1, 3]], ("cat", "dog"))
        assert sentence(found, Cell(0, 1)) == "cat taken for dog: 2 of 8 (25.0\u2009%)"
        assert sentence(found, Cell(1, 1)) == "dog recognised: 3 of 4 (75.0\u2009%)"
        assert about_class(found, 0) == "cat: recall 75.0\u2009%, precision 85.7\u2009%, 8 samples"


class TestPicture:
    def test_the_diagonal_and_mistakes_have_colours_of_their_own(self) -> None:
        levels = colour_levels(np.array([[0.9, 0.1], [0.0, 1.0]]), limit=0.1)
        assert levels[0, 1] == ZERO_LEVEL + 126
        assert levels[1, 1] == ZERO_LEVEL - 126
        assert ZERO_LEVEL - 126 < levels[0, 0] < ZERO_LEVEL
        assert levels[1, 0] == ZERO_LEVEL
        assert colour_levels(np.array([[1.0, 1e-6], [0, 1]]), limit=0.5)[0, 1] > ZERO_LEVEL + 5

    @pytest.mark.parametrize(
        ("size", "width", "height"), [(2, 380, 260), (10, 320, 220), (47, 380, 320), (47, 900, 600)]
    )
    @pytest.mark.parametrize("longest", [8.0, 70.0])
    def test_it_lies_within_its_area_and_names_do_not_touch(
        self, size: int, width: int, height: int, longest: float
    ) -> None:
        layout = matrix_layout(size=size, width=width, height=height, longest=longest, line=13)
        assert layout.left >= 24
        assert layout.left + layout.side <= width
        assert layout.height <= height
        assert layout.every_row * layout.cell >= 13
        assert layout.every_column * layout.cell >= (13 if layout.upright else longest)
        for cell in (Cell(0, 0), Cell(size - 1, 0), Cell(0, size - 1)):
            x, y = layout.corner(cell)
            assert layout.at(x + layout.cell / 2, y + layout.cell / 2) == cell
        assert layout.at(layout.left - 1, layout.top + 1) == (0, None)

    def test_what_is_pointed_at_is_named_before_its_neighbours(self) -> None:
        assert [number for number in range(9) if named(number, every=3, pointed=None)] == [0, 3, 6]
        assert [number for number in range(9) if named(number, every=3, pointed=4)] == [0, 4]
        assert [number for number in range(9) if named(number, every=3, pointed=8)] == [0, 3, 8]

    @pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
    def test_counts_can_be_read(self, qtbot: QtBot, theme: object) -> None:
        assert theme in (LIGHT, DARK)
        view = ConfusionMatrix(LIGHT if theme is LIGHT else DARK)
        qtbot.addWidget(view)
        view.resize(400, 400)
        view.set_confusion(confusion([[90, 10, 0], [5, 95, 0], [0, 3, 97]]))
        picture = view.grab().toImage()
        colours = {QColor(picture.pixel(x, y)).name() for x in range(0, 400, 3) for y in range(0, 400, 3)}
        assert len(colours) > 10
        assert contrast(QColor("white"), QColor("black")) == pytest.approx(21)

    def test_it_can_be_saved(self, qtbot: QtBot, tmp_path: Path) -> None:
        bench = bench_of()
        panel = opened(qtbot, bench)
        panel.set_theme(DARK)
        panel.save(tmp_path / "matrix.png", panel.picture_png())
        assert QImage(str(tmp_path / "matrix.png")).width() > 1000
        assert bench.said == ["The confusion matrix was saved to matrix.png."]
        panel.save(tmp_path / "no" / "folder.csv", panel.table_csv())
        assert "could not be written" in bench.said[-1]

    @pytest.mark.parametrize("size", [(320, 260), (380, 320), (900, 600)])
    def test_it_is_there_at_every_size(self, qtbot: QtBot, size: tuple[int, int]) -> None:
        panel = opened(qtbot, bench_of(dataset="emnist_balanced"))
        panel.resize(*size)
        choose(panel, Cell(0, 0))
        view = matrix(panel)
        qtbot.waitUntil(lambda: view.width() >= 250 and view.height() >= 200)
        panel.grab()


def message(panel: QWidget) -> QLabel:
    found = panel.findChild(QLabel, "confusion_message")
    assert isinstance(found, QLabel)
    return found


def save_button(panel: QWidget) -> QToolButton:
    found = panel.findChild(QToolButton, "confusion_save")
    assert isinstance(found, QToolButton)
    return found


def samples(panel: QWidget) -> SampleGrid:
    found = panel.findChild(SampleGrid, "confusion_samples")
    assert isinstance(found, SampleGrid)
    return found


def busiest(bench: FakeBench) -> tuple[int, int]:
    """The commonest mistake."""
    counts = expected(bench).copy()
    np.fill_diagonal(counts, 0)
    true, given = np.unravel_index(int(counts.argmax()), counts.shape)
    return int(true), int(given)


def wanted_in(bench: FakeBench, cell: Cell) -> list[int]:
    """The numbers of the samples in a cell."""
    assert bench.network is not None
    assert bench.data is not None
    answers = bench.network.answers(bench.data.test.inputs.numpy()).argmax(axis=1)
    targets = bench.data.test.targets.numpy()
    return [int(number) for number in np.flatnonzero((targets == cell.true) & (answers == cell.given))]


def at(view: ConfusionMatrix, cell: Cell) -> QPoint:
    """The middle of a cell."""
    return view.box(cell).center().toPoint()


def choose(panel: ConfusionPanel, cell: Cell) -> None:
    QTest.mouseClick(matrix(panel), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at(matrix(panel), cell))
