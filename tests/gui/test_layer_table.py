"""The layer table: what each layer costs, in little room."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtWidgets import QAbstractButton, QLabel
from pytestqt.qtbot import QtBot

from engine.inspection.shapes import LayerRow, LayerTable
from gui.numbers import THIN
from gui.theme import DARK
from gui.views.layer_table import ROW_HEIGHT, LayerRows, LayerTableView, cells, compact, describe

CONV = LayerRow(name="conv1", kind="Conv2d", kernel=(5, 5), output_shape=(6, 28, 28), parameters=156, flops=235_200)
RELU = LayerRow(name="relu1", kind="ReLU", kernel=(), output_shape=(6, 28, 28), parameters=0, flops=0)


def table(layers: int) -> LayerTable:
    rows = tuple(CONV if i % 2 == 0 else RELU for i in range(layers))
    return LayerTable(input_shape=(1, 32, 32), rows=rows, parameters=61_706, flops=833_040)


@pytest.fixture
def view(qtbot: QtBot) -> LayerTableView:
    view = LayerTableView()
    qtbot.addWidget(view)
    view.resize(256, 400)
    view.show()
    return view


def rows(view: LayerTableView) -> list[LayerRows]:
    return [part for part in view.findChildren(LayerRows) if part.isVisible()]


def totals(view: LayerTableView) -> str:
    label = view.findChild(QLabel, "layer_totals")
    assert isinstance(label, QLabel)
    return label.text()


def test_an_empty_table_teaches(view: LayerTableView) -> None:
    assert totals(view) == "The network's layers appear here."
    assert rows(view) == []


def test_shows_a_row_a_layer_and_the_totals(view: LayerTableView) -> None:
    view.set_theme(DARK)
    view.set_table(table(4))
    assert totals(view) == f"61{THIN}706 parameters · 833{THIN}kFLOPs a sample"
    (shown,) = rows(view)
    assert shown.sizeHint().height() == 5 * ROW_HEIGHT
    assert shown.describe(QPointF(5, 1.5 * ROW_HEIGHT)) == describe(CONV)
    assert shown.describe(QPointF(5, 2.5 * ROW_HEIGHT)) == describe(RELU)
    assert "name" in shown.describe(QPointF(5, 5))
    assert view.accessibleDescription().startswith("4 layers")


def test_where_it_is_narrow_the_kernels_give_way_and_nothing_is_cut(view: LayerTableView) -> None:
    view.set_table(table(4))
    (shown,) = rows(view)
    for width in (256, 200, 190):
        shown.resize(width, shown.height())
        places = shown._places()
        assert places[-1][0] + places[-1][1] <= width
        assert (places[1][1] == 0) == (width < 256)
        assert not shown.grab().isNull()


def test_deep_networks_are_folded_and_can_be_unfolded(view: LayerTableView) -> None:
    view.set_table(table(30))
    button = view.findChild(QAbstractButton, "layer_all")
    assert isinstance(button, QAbstractButton)
    assert button.isVisible()
    assert len(rows(view)) == 1
    button.click()
    first, rest = rows(view)
    assert first.sizeHint().height() + rest.sizeHint().height() == 31 * ROW_HEIGHT
    view.set_table(table(3))
    assert not button.isVisible()
    assert len(rows(view)) == 1


def test_a_message_replaces_the_layers(view: LayerTableView) -> None:
    view.set_table(table(3))
    view.set_message("The network cannot be built.")
    assert rows(view) == []
    assert totals(view) == "The network cannot be built."


def test_cells_and_descriptions() -> None:
    assert cells(CONV) == ("conv1", "5×5", "6×28×28", "156", f"235{THIN}k")
    assert cells(RELU) == ("relu1", "", "6×28×28", "", "")
    assert describe(CONV) == (f"conv1: Conv2d, kernel 5×5\nOutput 6×28×28\n156 parameters, 235{THIN}200 FLOPs a sample")


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (999, "999"),
        (1_000, "1.00 k"),
        (9_999, "10.0 k"),
        (48_120, "48.1 k"),
        (99_960, "100 k"),
        (999_499, "999 k"),
        (999_500, "1.00 M"),
        (1_820_000_000, "1.82 G"),
        (5 * 10**15, "5000 T"),
    ],
)
def test_counts_keep_three_digits(number: int, text: str) -> None:
    assert compact(number) == text.replace(" ", THIN)
