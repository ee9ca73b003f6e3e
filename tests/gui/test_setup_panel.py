"""The set-up panel: recipes, what fits what, live changes, errors in place."""

from __future__ import annotations

import json

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QStandardItemModel
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel, QScrollArea, QWidget
from pytestqt.qtbot import QtBot

from engine.catalog import ParamValue
from engine.config import config_from_json, make_config
from engine.datasets import DATASETS
from engine.errors import InputError
from engine.networks import NETWORKS
from engine.parts import PARTS
from gui.setup_model import SetupModel
from gui.spins import ScientificSpin, WholeSpin
from gui.views.setup_panel import SetupPanel, clashing


@pytest.fixture
def panel(qtbot: QtBot) -> SetupPanel:
    panel = SetupPanel(dataset_preview=QWidget(), layer_table=QWidget(), schedule_preview=QWidget())
    qtbot.addWidget(panel)
    panel.resize(280, 640)
    panel.show()
    return panel


def combo(panel: SetupPanel, part: str) -> QComboBox:
    found = panel.findChild(QComboBox, part)
    assert isinstance(found, QComboBox)
    return found


def pick(panel: SetupPanel, part: str, name: str) -> None:
    box = combo(panel, part)
    row = box.findData(name)
    assert row >= 0
    box.setCurrentIndex(row)


def rate(panel: SetupPanel) -> ScientificSpin:
    found = panel.findChild(ScientificSpin, "learning_rate")
    assert isinstance(found, ScientificSpin)
    return found


def whole(panel: SetupPanel, name: str) -> WholeSpin:
    found = panel.findChild(WholeSpin, name)
    assert isinstance(found, WholeSpin)
    return found


def text(panel: SetupPanel, name: str) -> str:
    """What a message says; empty while it is hidden."""
    found = panel.findChild(QLabel, name)
    assert isinstance(found, QLabel)
    return found.text() if found.isVisible() else ""


def test_starts_with_the_default_set_up(panel: SetupPanel) -> None:
    assert panel.config() == make_config()


def test_items_carry_labels_names_and_summaries(panel: SetupPanel) -> None:
    box = combo(panel, "network")
    for row, entry in enumerate(NETWORKS):
        assert box.itemText(row) == entry.label
        assert box.itemData(row) == entry.name
        assert box.itemData(row, Qt.ItemDataRole.ToolTipRole)


def test_a_network_brings_its_recipe(panel: SetupPanel) -> None:
    pick(panel, "network", "fast_cnn")
    assert panel.config() == make_config({"network": "fast_cnn"})
    assert rate(panel).value() == make_config({"network": "fast_cnn"}).optimizer.params["learning_rate"]


def test_parts_changed_by_hand_outlive_the_next_network(panel: SetupPanel) -> None:
    rate(panel).setValue(0.5)
    whole(panel, "epochs").setValue(7)
    pick(panel, "network", "fast_cnn")
    config, recipe = panel.config(), NETWORKS["fast_cnn"].recipe
    assert config.optimizer.name == "adam"
    assert config.optimizer.params["learning_rate"] == 0.5
    assert (config.training.epochs, config.training.batch_size) == (7, recipe.batch_size)
    assert config.schedule.name == recipe.schedule
    assert text(panel, "network_note") == "Optimizer stays as you set it."


def test_the_recipe_can_be_had_back(panel: SetupPanel) -> None:
    button = panel.findChild(QAbstractButton, "use_recipe")
    assert isinstance(button, QAbstractButton)
    assert not button.isVisible()
    rate(panel).setValue(0.5)
    assert button.isVisible()
    button.click()
    assert panel.config() == make_config()
    assert not button.isVisible()


def test_values_come_back_with_their_entry(panel: SetupPanel) -> None:
    rate(panel).setValue(0.25)
    pick(panel, "optimizer", "sgd")
    assert rate(panel).value() != 0.25
    pick(panel, "optimizer", "adam")
    assert rate(panel).value() == 0.25


def test_a_network_that_does_not_fit_gives_way_and_says_so(panel: SetupPanel) -> None:
    pick(panel, "dataset", "spirals")
    assert combo(panel, "network").currentData() == next(
        entry.name for entry in NETWORKS if "network" not in _misfits("spirals", entry.name)
    )
    assert "LeNet-5 needs images" in text(panel, "network_note")
    panel.config()


def test_entries_that_do_not_fit_are_disabled_with_the_reason(panel: SetupPanel) -> None:
    pick(panel, "dataset", "spirals")
    model = combo(panel, "network").model()
    assert isinstance(model, QStandardItemModel)
    for row, entry in enumerate(NETWORKS):
        item, misfit = model.item(row), _misfits("spirals", entry.name)
        assert item.isEnabled() == (not misfit)
        if misfit:
            assert "needs images" in item.toolTip()


def test_small_sets_get_batches_they_can_fill(panel: SetupPanel) -> None:
    pick(panel, "dataset", "spirals")
    whole(panel, "samples").setValue(100)
    size = panel.config().dataset_info().train_size
    assert panel.config().training.batch_size == size < 128


def test_a_batch_larger_than_the_set_is_answered_at_its_field(panel: SetupPanel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(panel.config_changed):
        whole(panel, "batch_size").setValue(200_000)
    assert "more than the training set's 55,000 samples" in text(panel, "batch_size_error")
    with pytest.raises(InputError, match="batch_size"):
        panel.config()
    with qtbot.waitSignal(panel.config_changed):
        whole(panel, "batch_size").setValue(64)
    assert text(panel, "batch_size_error") == ""


def test_many_changes_in_a_turn_are_one_signal(panel: SetupPanel, qtbot: QtBot) -> None:
    seen: list[int] = []
    panel.config_changed.connect(lambda: seen.append(1))
    with qtbot.waitSignal(panel.config_changed):
        pick(panel, "network", "lenet3")
        rate(panel).setValue(0.1)
        whole(panel, "seed").setValue(3)
    assert seen == [1]


def test_text_still_being_typed_counts_at_the_start(panel: SetupPanel) -> None:
    rate(panel).selectAll()
    QTest.keyClicks(rate(panel), "2e-4")
    assert panel.config().optimizer.params["learning_rate"] == 2e-4


def test_typed_nonsense_is_answered_at_the_start(panel: SetupPanel) -> None:
    rate(panel).selectAll()
    QTest.keyClicks(rate(panel), "fast")
    with pytest.raises(InputError) as caught:
        panel.config()
    assert caught.value.field == "optimizer.learning_rate"
    assert "'fast' is not accepted" in text(panel, "learning_rate_error")


def test_in_a_run_only_live_settings_are_enabled(panel: SetupPanel) -> None:
    panel.set_running(True)
    assert rate(panel).isEnabled()
    assert combo(panel, "schedule").isEnabled()
    for name in ("dataset", "network", "optimizer", "loss", "batch_size", "epochs", "seed"):
        widget = panel.findChild(QWidget, name)
        assert isinstance(widget, QWidget)
        assert not widget.isEnabled()
        assert "The run is under way: stop it to change the" in widget.toolTip()
    panel.set_running(False)
    assert combo(panel, "dataset").isEnabled()
    assert "under way" not in combo(panel, "dataset").toolTip()


def test_live_changes_are_told_only_in_a_run(panel: SetupPanel, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(panel.hyperparameter_changed):
        rate(panel).setValue(0.5)
    panel.set_running(True)
    with qtbot.waitSignal(panel.hyperparameter_changed) as blocker:
        rate(panel).setValue(0.25)
    assert blocker.args == ["learning_rate", 0.25]


def test_the_schedule_and_its_settings_change_live(panel: SetupPanel, qtbot: QtBot) -> None:
    panel.set_running(True)
    with qtbot.waitSignal(panel.schedule_changed) as blocker:
        pick(panel, "schedule", "step")
    assert blocker.args is not None
    name, params = blocker.args
    assert name == "step"
    assert params == panel.config().schedule.params
    field = panel.findChild(ScientificSpin, _named("schedule", "factor"))
    assert isinstance(field, ScientificSpin)
    with qtbot.waitSignal(panel.schedule_changed) as blocker:
        field.setValue(0.25)
    assert blocker.args is not None
    assert blocker.args[1]["factor"] == 0.25


def test_an_error_is_shown_scrolled_to_and_focused(panel: SetupPanel, qtbot: QtBot) -> None:
    panel.resize(280, 200)
    panel.activateWindow()
    qtbot.waitUntil(panel.isActiveWindow)
    panel.show_error(InputError("training.patience", "early stopping needs a validation set", "set it to 0"))
    patience = whole(panel, _named("training", "patience"))
    qtbot.waitUntil(patience.hasFocus)
    assert text(panel, f"{patience.objectName()}_error") == "Early stopping needs a validation set: set it to 0."
    qtbot.waitUntil(lambda: not patience.visibleRegion().isEmpty())
    panel.clear_errors()
    assert text(panel, f"{patience.objectName()}_error") == ""


def test_an_error_of_a_part_stands_under_its_combo(panel: SetupPanel) -> None:
    panel.show_error(InputError("network", "it cannot be built", "mlp"))
    assert text(panel, "network_error") == "It cannot be built: mlp."


def test_a_set_up_can_be_shown(panel: SetupPanel) -> None:
    values: dict[str, object] = {"network.hidden": (9, 8), "optimizer.learning_rate": 1e-5, "training.seed": 42}
    config = make_config({"dataset": "xor", "network": "mlp", "optimizer": "sgd", "schedule": "cosine"}, values)
    panel.set_config(config)
    assert panel.config() == config
    assert combo(panel, "dataset").currentData() == "xor"


def test_explicit_starting_values_last_until_the_network_changes(panel: SetupPanel) -> None:
    config = make_config(initial_parameters={"fc3.bias": [0.0] * 10})
    panel.set_config(config)
    assert panel.config().initial_parameters == {"fc3.bias": [0.0] * 10}
    pick(panel, "network", "lenet3")
    assert panel.config().initial_parameters is None


def test_explicit_starting_values_last_while_the_loss_needs_as_many_outputs() -> None:
    start = {"weight": [[0.5, -0.5]], "bias": [0.0]}
    picks = {"dataset": "exam_scores", "network": "linear", "loss": "bce_written_out"}
    model = SetupModel()
    model.set_config(make_config(picks, initial_parameters=start))
    model.pick("loss", "bce_with_logits")
    assert model.config().initial_parameters == start
    model.pick("loss", "mse")  # an output for each of the two classes
    assert model.config().initial_parameters is None
    model.set_config(make_config(picks, initial_parameters=start))
    model.use_recipe()
    assert (model.picks["loss"], model.config().initial_parameters) == ("mse", None)


def test_choices_come_back_by_name(panel: SetupPanel, qtbot: QtBot) -> None:
    pick(panel, "dataset", "xor")
    pick(panel, "network", "mlp")
    pick(panel, "optimizer", "sgd")
    rate(panel).setValue(0.03)
    kept = json.loads(json.dumps(panel.choices()))
    other = SetupPanel()
    qtbot.addWidget(other)
    other.restore(kept)
    assert other.config() == panel.config()
    assert other.choices() == kept


def test_one_bad_choice_does_not_lose_the_good_ones(panel: SetupPanel) -> None:
    panel.restore(
        {
            "dataset": {"name": "no longer there", "params": {}},
            "network": {"name": "lenet3", "params": 5},
            "optimizer": {"name": "sgd", "params": {"learning_rate": -1, "momentum": 0.5, "gone": 1}},
            "loss": [],
            "training": {"params": {"seed": 9, "batch_size": "many"}},
            "touched": ["optimizer", 3, "nonsense"],
            "unknown": {},
        }
    )
    config = panel.config()
    assert (config.dataset.name, config.network.name, config.optimizer.name) == ("mnist", "lenet3", "sgd")
    assert config.optimizer.params["momentum"] == 0.5
    assert config.training.seed == 9
    assert config.training.batch_size == make_config({"network": "lenet3"}).training.batch_size


def test_object_names_are_unique_whatever_is_picked(panel: SetupPanel) -> None:
    for part in PARTS[:-1]:
        box = combo(panel, part)
        for row in range(box.count()):
            item = box.model()
            if isinstance(item, QStandardItemModel) and item.item(row).isEnabled():
                box.setCurrentIndex(row)
                names = [w.objectName() for w in panel.findChildren(QWidget) if w.objectName()[:3] != "qt_"]
                named = [name for name in names if name and not name.endswith("_error")]
                assert len(named) == len(set(named)), sorted(named)
                for name in ("learning_rate", "batch_size", "epochs", "seed"):
                    assert name in named


@pytest.mark.parametrize("width", [260, 340])
def test_nothing_is_wider_than_the_panel(panel: SetupPanel, qtbot: QtBot, width: int) -> None:
    panel.resize(width, 600)
    for button in panel.findChildren(QAbstractButton):
        if button.objectName().endswith("_more"):
            button.setChecked(True)
    area = panel.findChild(QScrollArea)
    assert isinstance(area, QScrollArea)
    qtbot.waitUntil(lambda: area.viewport().width() <= width)
    content = area.widget()
    assert content is not None
    assert content.minimumSizeHint().width() <= area.viewport().width()


def test_every_picture_of_the_model_is_a_config_or_a_named_error() -> None:
    for dataset in DATASETS:
        model = SetupModel()
        model.pick("dataset", dataset.name)
        config = model.config()
        assert config_from_json(config.to_json(), source="here") == config


def _misfits(dataset: str, network: str) -> str:
    entry = NETWORKS[network]
    params: dict[str, ParamValue] = {param.name: param.default for param in entry.params}
    try:
        entry.fit(DATASETS[dataset].info({p.name: p.default for p in DATASETS[dataset].params}), params)
    except InputError as error:
        return str(error)
    return ""


def _named(part: str, name: str) -> str:
    return f"{part}_{name}" if name in clashing(part) else name
