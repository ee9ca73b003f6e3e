"""The set-up panel: what to train, on what, and how."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QLabel, QScrollArea, QVBoxLayout, QWidget

from engine.catalog import Catalog, Entry, Param
from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.parts import CATALOGS, PARTS, TRAINING_PARAMS
from gui.disclosure import HEIGHT, TextButton
from gui.forms import ParamForm, WheelGuard, sentence
from gui.setup_model import Notes, SetupModel
from gui.theme import PANEL_MARGIN, SPACING

if TYPE_CHECKING:
    from engine.config import RunConfig

# Shown at once in each part's form, the rest folded under "More". A part that shows none of them shows its first few.
COMMON = frozenset(
    ("learning_rate", "momentum", "batch_size", "epochs", "seed", "hidden", "activation", "dropout", "samples", "noise")
)
FIRST_FEW: Mapping[str, int] = {"dataset": 0, "network": 3, "optimizer": 3, "loss": 2, "schedule": 3, "training": 3}

# From top to bottom: what augmentation does is seen in the dataset's preview, right above it.
SHOWN = ("dataset", "augmentation", *(part for part in PARTS if part not in ("dataset", "augmentation")))

# Names other widgets of the window have; a param of that name gets its part in front.
TAKEN = frozenset((*PARTS, "start", "pause", "step", "stop"))

LIVE_COMBOS = frozenset(("schedule",))
WHY_DISABLED = "The run is under way: stop it to change the {label}."


class Section(QWidget):
    """One part: its heading, the pick, what was done on the person's behalf, the form, and a view beside it."""

    def __init__(self, part: str, *, catalog: Catalog[Entry] | None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.part = part
        self.heading = QLabel(part.capitalize(), self)
        self.heading.setProperty("role", "heading")
        self.heading.setMinimumHeight(HEIGHT)
        self.combo: QComboBox | None = None
        self.form: ParamForm | None = None
        self.rows = QVBoxLayout(self)
        self.rows.setContentsMargins(0, 0, 0, 0)
        self.rows.setSpacing(SPACING + SPACING // 2)
        self.title_row = QHBoxLayout()
        self.title_row.addWidget(self.heading)
        self.title_row.addStretch(1)
        self.rows.addLayout(self.title_row)
        if catalog is not None:
            self.combo = self._make_combo(catalog)
            self.heading.setBuddy(self.combo)
            self.rows.addWidget(self.combo)
        self.note = self._make_message("note")
        self.error = self._make_message("error")
        self.form_place = QVBoxLayout()
        self.form_place.setContentsMargins(0, 0, 0, 0)
        self.rows.addLayout(self.form_place)

    def say(self, label: QLabel, text: str) -> None:
        label.setText(text)
        label.setVisible(bool(text))

    def set_form(self, form: ParamForm) -> None:
        """Replace the form. The old one leaves the window at once, so that object names stay unique."""
        if self.form is not None:
            for old in (self.form, self.form.more):
                old.setParent(None)
                old.deleteLater()
        self.form = form
        self.form_place.addWidget(form)
        self.title_row.addWidget(form.more)

    def select(self, name: str) -> None:
        """Show the entry `name` without a signal."""
        if self.combo is not None:
            blocked = self.combo.blockSignals(True)
            self.combo.setCurrentIndex(self.combo.findData(name))
            self.combo.blockSignals(blocked)

    def set_refusals(self, refusals: Mapping[str, str], summaries: Mapping[str, str]) -> None:
        """Entries that cannot be picked are disabled, with the reason as their tooltip."""
        model = self.combo.model() if self.combo is not None else None
        if self.combo is None or not isinstance(model, QStandardItemModel):
            return
        for row in range(self.combo.count()):
            name = self.combo.itemData(row)
            item, problem = model.item(row), refusals.get(name)
            item.setEnabled(problem is None)
            text = summaries[name] if problem is None else f"{problem[:1].upper()}{problem[1:]}."
            item.setToolTip(f"<p>{html.escape(text)}</p>")

    def _make_combo(self, catalog: Catalog[Entry]) -> QComboBox:
        combo = QComboBox(self)
        combo.setObjectName(self.part)
        combo.setAccessibleName(self.part.capitalize())
        combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        combo.setMinimumContentsLength(10)
        combo.setMaxVisibleItems(16)
        for entry in catalog:
            combo.addItem(entry.label, entry.name)
            combo.setItemData(combo.count() - 1, f"<p>{html.escape(entry.summary)}</p>", Qt.ItemDataRole.ToolTipRole)
        return combo

    def _make_message(self, role: str) -> QLabel:
        label = QLabel(self)
        label.setObjectName(f"{self.part}_{role}")
        label.setProperty("role", role)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        label.setVisible(False)
        self.rows.addWidget(label)
        return label


class SetupPanel(QWidget):
    """Each part of a set-up with its settings; scrolls when it is short.

    Signals:
        config_changed(): something of the set-up changed; at most once per turn of the event loop.
        hyperparameter_changed(name, value): while a run is under way, a live setting changed.
        schedule_changed(name, params): while a run is under way, another schedule or another of its settings.

    Args:
        dataset_preview, layer_table, schedule_preview: views to show beside dataset, network and schedule; the panel
            takes them in and does not otherwise touch them.
    """

    config_changed = Signal()
    hyperparameter_changed = Signal(str, object)
    schedule_changed = Signal(str, dict)

    def __init__(
        self,
        *,
        dataset_preview: QWidget | None = None,
        layer_table: QWidget | None = None,
        schedule_preview: QWidget | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._model = SetupModel()
        self._running = False
        self._wheel_guard = WheelGuard(self)
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.setInterval(0)
        self._soon.timeout.connect(self._check)

        self._scroll = QScrollArea(self)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        content = QWidget()
        content.setObjectName("setup_content")
        column = QVBoxLayout(content)
        column.setContentsMargins(PANEL_MARGIN, PANEL_MARGIN, PANEL_MARGIN, PANEL_MARGIN)
        column.setSpacing(3 * SPACING)
        self._sections = {part: Section(part, catalog=CATALOGS.get(part), parent=content) for part in SHOWN}
        for part, section in self._sections.items():
            column.addWidget(section)
            if section.combo is not None:
                self._wheel_guard.guard(section.combo)
                section.combo.currentIndexChanged.connect(lambda _row, part=part: self._picked(part))
        column.addStretch(1)
        self._recipe_button = self._make_recipe_button()
        self._sections["network"].title_row.addWidget(self._recipe_button)
        if dataset_preview is not None:
            rows = self._sections["dataset"].rows
            rows.insertWidget(rows.indexOf(self._sections["dataset"].error) + 1, dataset_preview)
        for part, view in (("network", layer_table), ("schedule", schedule_preview)):
            if view is not None:
                self._sections[part].rows.addWidget(view)
        self._scroll.setWidget(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self._scroll)
        self.setMinimumWidth(260)
        self._show_all()

    def dataset_info(self) -> DatasetInfo:
        """Of the dataset that is chosen. Raises InputError where its settings do not go together."""
        return self._model.dataset_info()

    def config(self) -> RunConfig:
        """What is set up, checked, text still being typed included. Raises InputError and shows it at its field."""
        try:
            self._read_forms()
            return self._model.config()
        except InputError as error:
            self._mark(error)
            raise

    def set_config(self, config: RunConfig) -> None:
        """Show `config` instead."""
        self._model.set_config(config)
        self._show_all()
        self._soon.start()

    def choices(self) -> dict[str, object]:
        """What is set up, as plain JSON by name, even where it does not fit together yet."""
        return self._model.choices()

    def restore(self, choices: Mapping[str, object]) -> None:
        """Show what `choices` gave once; what is not known any more is passed over, alone.

        Whether it goes together is not looked at: that takes pydantic, which start-up has no time for.
        """
        self._model.restore(choices)
        self._show_all()

    def set_running(self, running: bool) -> None:
        """While a run is under way, only what can be changed in it stays enabled."""
        self._running = running
        for part, section in self._sections.items():
            if section.combo is not None:
                section.combo.setEnabled(not running or part in LIVE_COMBOS)
            self._set_tooltip(section)
            self._enable(section)
        self._show_recipe_button()

    def show_error(self, error: InputError) -> None:
        """Put the error at its field, scroll there and focus it."""
        self._mark(error)
        part, _, name = error.field.partition(".")
        section = self._sections.get(part, self._sections["dataset"])
        target: QWidget = section.combo or section
        if section.form is not None and name in section.form:
            target = section.form.field(name)
        # What the error unfolded has its place only once the layouts were made anew.
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest.value)
        self._scroll.ensureWidgetVisible(target, PANEL_MARGIN, 12 * SPACING)
        target.setFocus(Qt.FocusReason.OtherFocusReason)

    def hide_parts(self, parts: Collection[str]) -> None:
        """Show every part but these; what is set in them stays."""
        for part, section in self._sections.items():
            section.setVisible(part not in parts)

    def clear_errors(self) -> None:
        for section in self._sections.values():
            section.say(section.error, "")
            if section.form is not None:
                section.form.clear_errors()

    def _mark(self, error: InputError) -> None:
        part, _, name = error.field.partition(".")
        section = self._sections.get(part, self._sections["dataset"])
        if section.form is not None and name in section.form:
            section.form.show_error(name, sentence(error))
        else:
            section.say(section.error, sentence(error))

    def _read_forms(self) -> None:
        for part, section in self._sections.items():
            before = self._model.values(part)
            for name, value in (section.form.values() if section.form is not None else {}).items():
                if before[name] != value:
                    self._changed(part, name)

    def _picked(self, part: str) -> None:
        combo = self._sections[part].combo
        if combo is None or combo.currentData() == self._model.picks[part]:
            return
        notes = self._model.pick(part, combo.currentData())
        self._show_all(notes)
        if self._running and part == "schedule":
            self.schedule_changed.emit(self._model.picks[part], self._model.values(part))
        self._soon.start()

    def _changed(self, part: str, name: str) -> None:
        form = self._sections[part].form
        if form is None:
            return
        try:
            value = form.value(name)
        except InputError:
            return
        if self._model.values(part)[name] == value:
            return
        notes = self._model.set_value(part, name, value)
        if part == "dataset":
            self._show_all(notes, keep_forms=True)
        self._show_recipe_button()
        if self._running and part == "schedule":
            self.schedule_changed.emit(self._model.picks[part], self._model.values(part))
        elif self._running:
            self.hyperparameter_changed.emit(name, value)
        self._soon.start()

    def _check(self) -> None:
        """Say at once, where it was typed, what does not go together; then tell the window."""
        self.clear_errors()
        try:
            self._model.config()
        except InputError as error:
            self._mark(error)
        self.config_changed.emit()

    def _show_all(self, notes: Notes | None = None, *, keep_forms: bool = False) -> None:
        for part, section in self._sections.items():
            name = self._model.picks.get(part, part)
            section.select(name)
            section.say(section.note, (notes or {}).get(part, ""))
            form_of = section.property("form_of")
            if form_of != name or section.form is None:
                section.setProperty("form_of", name)
                section.set_form(self._make_form(part))
            if section.form is not None and not (keep_forms and part == "dataset"):
                section.form.set_values(self._model.values(part))
            self._set_tooltip(section)
            self._enable(section)
            if part in CATALOGS:
                summaries = {entry.name: entry.summary for entry in CATALOGS[part]}
                section.set_refusals(self._model.refusals(part), summaries)
        self._show_recipe_button()

    def _make_form(self, part: str) -> ParamForm:
        params = self._model.params(part)
        form = ParamForm(part, params, shown=shown_first(part, params), prefixed=clashing(part), parent=self)
        form.changed.connect(lambda name: self._changed(part, name))
        return form

    def _enable(self, section: Section) -> None:
        if section.form is None:
            return
        live = {param.name for param in self._model.params(section.part) if param.live or section.part in LIVE_COMBOS}
        section.form.set_enabled_names(live if self._running else None, why=WHY_DISABLED)

    def _set_tooltip(self, section: Section) -> None:
        if section.combo is None:
            return
        if section.combo.isEnabled():
            entry = self._model.entry(section.part)
            tip = f"{html.escape(entry.summary)}"
        else:
            tip = WHY_DISABLED.replace("{label}", section.part)
        section.combo.setToolTip(f"<p>{tip}</p>")

    def _make_recipe_button(self) -> TextButton:
        button = TextButton("Use its recipe", self)
        button.setObjectName("use_recipe")
        button.clicked.connect(self._use_recipe)
        return button

    def _use_recipe(self) -> None:
        self._show_all(self._model.use_recipe())
        self._soon.start()

    def _show_recipe_button(self) -> None:
        recipe = self._model.recipe()
        parts = (("optimizer", recipe.optimizer), ("loss", recipe.loss), ("schedule", recipe.schedule))
        labels = [CATALOGS[part][name].label for part, name in parts if name in CATALOGS[part]]
        text = f"{', '.join(labels)}, batches of {self._model.recipe_batch_size()}, {recipe.epochs} epochs"
        self._recipe_button.setToolTip(
            f"<p>Settings this network learns well with, instead of yours: {html.escape(text)}.</p>"
        )
        self._recipe_button.setVisible(not self._running and self._model.differs_from_recipe())


def shown_first(part: str, params: Collection[Param]) -> frozenset[str]:
    """The names a form shows unfolded."""
    common = frozenset(param.name for param in params) & COMMON
    return common or frozenset([param.name for param in params][: FIRST_FEW.get(part, 3)])


def clashing(part: str) -> frozenset[str]:
    """Names of the part's params that are taken: by the window, or by a part that comes before it in this order."""
    order = ("training", "optimizer", *(other for other in PARTS if other not in ("training", "optimizer")))
    taken = set(TAKEN)
    for other in order[: order.index(part)]:
        params = TRAINING_PARAMS if other == "training" else [p for entry in CATALOGS[other] for p in entry.params]
        taken |= {param.name for param in params}
    own = TRAINING_PARAMS if part == "training" else [p for entry in CATALOGS[part] for p in entry.params]
    return frozenset(param.name for param in own if param.name in taken)
