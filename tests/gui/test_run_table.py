"""The history's panel: search, order, tree, filters, writing, deleting, and ten thousand runs."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QModelIndex, QPoint, Qt
from PySide6.QtGui import QAction, QIcon
from PySide6.QtTest import QAbstractItemModelTester, QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QPlainTextEdit, QPushButton, QToolButton
from pytestqt.qtbot import QtBot

from engine.runs.run_record import RunSummary
from gui.history_panel import HistoryPanel
from gui.run_colors import SWATCH, run_color, run_dashes, swatch_icon
from gui.run_model import GUIDES
from gui.run_rows import COLUMNS, PLACES, SearchTexts, Wanted, listed
from gui.run_tree import LEVEL, TEXT, guide_lines
from gui.theme import DARK, LIGHT

BLANK = RunSummary(
    id=0,
    name="",
    notes="",
    dataset="mnist",
    network="lenet5",
    optimizer="adam",
    loss="cross_entropy",
    schedule="constant",
    seed=0,
    batch_size=128,
    learning_rate=0.001,
    epochs=3,
    lesson="",
    stage=None,
    parent=None,
    parent_step=None,
    began=1_750_000_000.0,
    device="CPU",
    threads=1,
    memory_format="contiguous",
    precision="float32",
    parameters=61_706,
    total_steps=1290,
    status="finished",
    reason="completed",
    message="",
    recorded=1290,
    step=1290,
    epoch=3,
    seconds=75.0,
    samples_per_second=9000.0,
    batch_loss=0.1,
    train_loss=0.1,
    validation_loss=None,
    validation_accuracy=None,
    test_loss=0.05,
    test_accuracy=0.98,
    best_validation_loss=None,
    best_validation_accuracy=None,
    best_test_loss=0.04,
    best_test_accuracy=0.985,
    deleted=None,
    tags=(),
)

RUNS = [  # newest first, as the store has them
    BLANK._replace(id=5, began=BLANK.began + 4, parent=2, parent_step=400, best_test_accuracy=0.99),
    BLANK._replace(id=4, began=BLANK.began + 3, dataset="boston_like", best_test_accuracy=None, best_test_loss=0.5),
    BLANK._replace(id=3, began=BLANK.began + 2, name="zebra", status="failed", reason="diverged", network="mlp"),
    BLANK._replace(id=2, began=BLANK.began + 1, name="Apple", best_test_accuracy=0.97, tags=("baseline", "good")),
    BLANK._replace(id=1, notes="Stalls at\n0.4", optimizer="sgd", status="stopped", reason="stopped", seed=7),
]


def order(runs: list[RunSummary] = RUNS, **wanted: object) -> list[int]:
    return [row.run.id for row in listed(runs, SearchTexts(), Wanted(**wanted))]  # type: ignore[arg-type]


@pytest.fixture
def panel(qtbot: QtBot) -> HistoryPanel:
    made = HistoryPanel(DARK)
    made.resize(900, 320)
    qtbot.addWidget(made)
    QAbstractItemModelTester(made.model, QAbstractItemModelTester.FailureReportingMode.Warning, made)
    with qtbot.waitExposed(made):
        made.show()
    made.set_runs(RUNS)
    made.activateWindow()  # a list's editors live as long as they have the keyboard
    qtbot.waitUntil(made.isActiveWindow)
    return made


def shown(panel: HistoryPanel) -> list[int]:
    return [panel.model.run_at(row).id for row in range(panel.model.rowCount())]


def cell(panel: HistoryPanel, run: int, column: str) -> str:
    row = panel.model.row_of(run)
    assert row is not None
    return str(panel.model.index(row, PLACES[column]).data())


def guides(panel: HistoryPanel, run: int) -> object:
    row = panel.model.row_of(run)
    assert row is not None
    return panel.model.index(row, PLACES["name"]).data(GUIDES)


def button(panel: HistoryPanel, name: str) -> QPushButton:
    found = panel.findChild(QPushButton, name)
    assert isinstance(found, QPushButton)
    return found


def choose(panel: HistoryPanel, name: str) -> None:
    menu = panel.filter_menu()
    action = menu.findChild(QAction, name)
    assert isinstance(action, QAction), name
    action.trigger()
    menu.close()


# Which runs, in which order


def test_without_the_tree_every_column_sorts_both_ways_and_the_unknown_comes_last() -> None:
    assert order(tree=False) == [5, 4, 3, 2, 1]
    assert order(tree=False, sort="name", descending=False)[0] == 2
    assert order(tree=False, sort="name", descending=True)[0] == 3
    assert order(tree=False, sort="best", descending=True) == [5, 3, 1, 2, 4]
    assert order(tree=False, sort="best", descending=False) == [4, 2, 1, 3, 5]
    for descending in (True, False):
        assert order(tree=False, sort="branch", descending=descending)[0] == 5
        assert order(tree=False, sort="tags", descending=descending)[0] == 2
    for column in COLUMNS:
        assert sorted(order(sort=column.name)) == [1, 2, 3, 4, 5]


def test_branches_stand_below_their_run() -> None:
    child = BLANK._replace(id=6, parent=5, parent_step=10)
    stray = BLANK._replace(id=7, parent=99, parent_step=10)
    rows = listed([stray, child, *RUNS], SearchTexts(), Wanted())
    assert [(row.run.id, row.depth) for row in rows] == [(4, 0), (3, 0), (2, 0), (5, 1), (6, 2), (7, 0), (1, 0)]


def test_lines_lead_from_a_run_to_its_branches_past_what_stands_between() -> None:
    family = [*RUNS, BLANK._replace(id=6, parent=5), BLANK._replace(id=7, parent=2), BLANK._replace(id=8, parent=7)]
    rows = listed(sorted(family, key=lambda run: -run.id), SearchTexts(), Wanted(sort="number"))
    drawn = {row.run.id: row.guides for row in rows}
    assert [row.run.id for row in rows] == [4, 3, 2, 7, 8, 5, 6, 1]
    assert drawn == {4: (), 3: (), 2: (), 7: (True,), 8: (True, False), 5: (False,), 6: (False, False), 1: ()}
    beside = [(line.x1(), line.y1(), line.x2(), line.y2()) for line in guide_lines(drawn[8], left=0, top=24, bottom=48)]
    assert beside == [(12, 24, 12, 48), (28, 24, 28, 36), (28, 36, 36, 36)]


def test_a_branch_is_drawn_right_of_its_run(panel: HistoryPanel) -> None:
    assert guides(panel, 5) == (False,)
    index = panel.model.index(panel.model.row_of(5) or 0, PLACES["name"])
    cell_area = panel.table.visualRect(index)
    picture = panel.table.viewport().grab(cell_area).toImage()
    ground = picture.pixelColor(TEXT // 2, 12)
    inked = [x for x in range(4, picture.width()) for y in range(4, 20) if picture.pixelColor(x, y) != ground]
    assert TEXT + LEVEL // 4 <= min(inked) < TEXT + LEVEL  # the line that leads to it
    assert "branch of 2 @ 400" in str(index.data(Qt.ItemDataRole.AccessibleTextRole))
    assert "A branch of run 2, from step 400 on" in str(index.data(Qt.ItemDataRole.ToolTipRole))


def test_a_circle_of_branches_loses_no_run() -> None:
    circle = [BLANK._replace(id=2, parent=1), BLANK._replace(id=1, parent=2)]
    assert sorted(order(circle)) == [1, 2]


def test_a_search_finds_words_anywhere_in_any_order() -> None:
    assert order(search="apple BASE") == [2]
    assert order(search="stalls") == [1]
    assert order(search="LeNet-5 sgd") == [1]
    assert order(search="diverged") == [3]
    assert order(search="#4") == [4]
    assert order(search="apple zebra") == []


def test_filters_narrow_together() -> None:
    assert order(filters={"status": "finished"}, tree=False) == [5, 4, 2]
    assert order(filters={"status": "finished", "dataset": "mnist"}, tree=False) == [5, 2]


def test_a_run_keeps_its_look_and_neighbours_have_another() -> None:
    looks = [(run_color(run, DARK), run_dashes(run)) for run in range(1, 29)]
    assert len(set(looks)) == 28
    assert len({run_color(run, LIGHT) for run in range(7)}) == 7


# What the panel shows


def test_cells_say_what_was_learned_and_how_it_ended(panel: HistoryPanel) -> None:
    assert cell(panel, 4, "best") == "0.5000"
    assert cell(panel, 5, "best") == "99.00\u2009%"
    assert cell(panel, 5, "name") == "MNIST · LeNet-5 · Adam 0.001"
    assert cell(panel, 5, "number") == "5"
    assert cell(panel, 5, "branch") == "branch of 2 @ 400"
    assert cell(panel, 3, "status") == "Diverged"
    assert cell(panel, 2, "tags") == "baseline, good"
    assert cell(panel, 1, "notes") == "Stalls at 0.4"
    assert cell(panel, 1, "steps") == "1\u2009290"


def test_the_header_sorts_and_the_selection_stays_with_its_runs(panel: HistoryPanel) -> None:
    panel.table.select(3)
    header = panel.table.horizontalHeader()
    place = header.sectionViewportPosition(PLACES["name"]) + 20
    QTest.mouseClick(header.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(place, 8))
    assert shown(panel)[0] in (2, 3)
    assert [run.id for run in panel.table.selected()] == [3]
    tree = panel.findChild(QToolButton, "run_tree")
    assert isinstance(tree, QToolButton)
    tree.click()
    assert [run.id for run in panel.table.selected()] == [3]
    assert guides(panel, 5) == ()


def test_search_and_filter_narrow_the_list_and_all_come_back(panel: HistoryPanel) -> None:
    search = panel.findChild(QLineEdit, "run_search")
    assert isinstance(search, QLineEdit)
    QTest.keyClicks(search, "zebra")
    assert shown(panel) == [3]
    search.clear()
    choose(panel, "filter_status_stopped")
    assert shown(panel) == [1]
    assert "1" in panel._filter.text()
    choose(panel, "filter_network_mlp")
    assert shown(panel) == []
    label = panel.findChild(QLabel, "history_message")
    assert isinstance(label, QLabel)
    assert label.isVisible()
    panel.show_all()
    assert len(shown(panel)) == 5


def test_an_empty_history_teaches(panel: HistoryPanel) -> None:
    panel.set_runs([])
    label = panel.findChild(QLabel, "history_message")
    assert isinstance(label, QLabel)
    assert "Press Start" in label.text()
    for name in ("run_open", "run_compare", "run_delete"):
        assert not button(panel, name).isEnabled()
        assert button(panel, name).toolTip().startswith("Select")
    panel.show_problem("The history cannot be used.")
    assert label.text() == "The history cannot be used."


# What a person does


def test_f2_renames_from_any_cell(panel: HistoryPanel, qtbot: QtBot) -> None:
    panel.table.select(3)
    with qtbot.waitSignal(panel.edited) as told:
        QTest.keyClick(panel.table, Qt.Key.Key_F2)
        editor = panel.table.findChild(QLineEdit)
        assert isinstance(editor, QLineEdit)
        assert editor.text() == "zebra"
        editor.setText("  lion ")
        QTest.keyClick(editor, Qt.Key.Key_Return)
    assert told.args == [3, "name", "lion"]


def test_a_name_that_stays_is_not_told(panel: HistoryPanel, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(panel.edited):
        index = panel.model.index(panel.model.row_of(3) or 0, PLACES["name"])
        assert not panel.model.setData(index, "zebra")
        assert not panel.model.setData(QModelIndex(), "zebra")


def test_notes_may_have_lines(panel: HistoryPanel, qtbot: QtBot) -> None:
    panel.table.select(1)
    panel.table.write_in("notes")
    editor = panel.table.findChild(QPlainTextEdit, "run_note")
    assert isinstance(editor, QPlainTextEdit)
    assert editor.toPlainText() == "Stalls at\n0.4"
    editor.setPlainText("one")
    QTest.keyClick(editor, Qt.Key.Key_End)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    QTest.keyClicks(editor, "two")
    with qtbot.waitSignal(panel.edited) as told:
        QTest.keyClick(editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert told.args == [1, "notes", "one\ntwo"]


def test_enter_opens_and_delete_deletes_what_is_selected(panel: HistoryPanel, qtbot: QtBot) -> None:
    panel.table.select(3)
    with qtbot.waitSignal(panel.opened) as opened:
        QTest.keyClick(panel.table, Qt.Key.Key_Return)
    assert opened.args == [3]
    panel.table.selectAll()
    with qtbot.waitSignal(panel.deleted) as deleted:
        QTest.keyClick(panel.table, Qt.Key.Key_Delete)
    assert deleted.args is not None
    assert sorted(deleted.args[0]) == [1, 2, 3, 4, 5]
    with qtbot.waitSignal(panel.compared) as compared:
        button(panel, "run_compare").click()
    assert compared.args is not None
    assert sorted(compared.args[0]) == [1, 2, 3, 4, 5]
    assert not button(panel, "run_open").isEnabled()


def test_a_run_under_way_moves_on_in_its_row_and_cannot_be_deleted(panel: HistoryPanel) -> None:
    runs = [BLANK._replace(id=6, status="running", step=0), *RUNS]
    panel.set_runs(runs)
    panel.model.follow(6, step=77, epoch=1, seconds=3.0)
    assert cell(panel, 6, "steps") == "77"
    panel.table.select(6)
    assert not button(panel, "run_delete").isEnabled()
    assert "stop it" in button(panel, "run_delete").toolTip()


def test_the_menu_offers_to_go_on_only_where_there_is_more_to_do(panel: HistoryPanel, qtbot: QtBot) -> None:
    for run, enabled in ((1, True), (2, False)):
        panel.table.select(run)
        menu = panel.table.menu()
        action = menu.findChild(QAction, "run_menu_go_on")
        assert isinstance(action, QAction)
        assert action.isEnabled() is enabled
        assert action.toolTip()
        if enabled:
            with qtbot.waitSignal(panel.go_on) as told:
                action.trigger()
            assert told.args == [1]
        menu.close()


def test_undo_is_offered_until_it_is_answered(panel: HistoryPanel) -> None:
    asked = []
    panel.undo.offer("Deleted it.", {"Undo": ("Brings it back.", lambda: asked.append(1)), "Close": ("", lambda: None)})
    assert panel.undo.isVisible()
    button(panel, "history_undo_0").click()
    assert asked == [1]
    assert not panel.undo.isVisible()


def test_ten_thousand_runs_are_listed_searched_and_selected(panel: HistoryPanel) -> None:
    many = [RUNS[i % 5]._replace(id=10_000 - i, parent=None) for i in range(10_000)]
    panel.set_runs(many)
    assert panel.model.rowCount() == 10_000
    panel._search.setText("zebra")
    assert panel.model.rowCount() == 2_000
    assert not panel.table.findChildren(QLineEdit)
    panel.table.selectAll()
    assert len(panel.table.selected()) == 2_000


def test_a_search_follows_what_runs_are_called_now(panel: HistoryPanel) -> None:
    panel._search.setText("zebra")
    assert shown(panel) == [3]
    panel.set_runs([run._replace(name="lion") if run.id == 3 else run._replace(notes="a zebra") for run in RUNS[:4]])
    assert sorted(shown(panel)) == [2, 4, 5]
    panel.set_runs(RUNS)
    assert shown(panel) == [3]


def test_a_selected_run_keeps_a_colour_that_can_be_told_from_the_selection() -> None:
    for theme in (DARK, LIGHT):
        icon = swatch_icon(3, theme)
        plain, selected = (icon.pixmap(SWATCH, mode).toImage() for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected))
        middle = SWATCH.height() // 2
        assert plain.pixelColor(SWATCH.width() // 2, 1).alpha() == 0
        assert selected.pixelColor(SWATCH.width() // 2, 1).name() == theme.panel.lower()
        assert any(selected.pixelColor(x, middle).name() == run_color(3, theme).lower() for x in range(SWATCH.width()))
