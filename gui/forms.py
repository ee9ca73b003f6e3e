"""Widgets made from Params."""

from __future__ import annotations

import html
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from engine.catalog import Param, ParamValue
from engine.errors import InputError
from gui.disclosure import Disclosure
from gui.spins import ScientificSpin, WholeSpin, scientific
from gui.theme import SPACING

FIELD_WIDTH = 116  # px; the column of values, so that the sections' fields line up


class WheelGuard(QObject):
    """Lets the wheel scroll the panel instead of changing a value that merely passes under the pointer."""

    def guard(self, widget: QWidget) -> None:
        widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent, /) -> bool:
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return super().eventFilter(watched, event)


def display(value: ParamValue) -> str:
    """A value as its field shows it: 0.001, 128, 64, on."""
    match value:
        case bool():
            return "on" if value else "off"
        case tuple():
            return ", ".join(str(piece) for piece in value)
        case float():
            return scientific(value)
        case _:
            return str(value)


def in_sentence(label: str) -> str:
    """A label as it stands inside a sentence: "Batch size" → "batch size", "CPU threads" stays."""
    return label if label[1:2].isupper() else label[:1].lower() + label[1:]


@dataclass(frozen=True, slots=True)
class _Field:
    param: Param
    widget: QWidget
    label: QLabel | None
    error: QLabel
    read: Callable[[], object]
    write: Callable[[ParamValue], None]


class ParamForm(QWidget):
    """One row a param: label, field, and below it the error, if there is one.

    Signals:
        changed(name): the person has changed a value, and it is acceptable.

    `more` is the button that unfolds the rest; it may be taken elsewhere, such as into a heading's row.

    Args:
        part: the config's part, for the errors' field.
        params: in the order to show them.
        shown: names to show at once; the others lie under "More". None shows all.
        prefixed: names whose widget gets the object name `part_name`, where the plain one is taken.
    """

    changed = Signal(str)

    def __init__(
        self,
        part: str,
        params: Sequence[Param],
        *,
        shown: Collection[str] | None = None,
        prefixed: Collection[str] = (),
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.part = part
        self._prefixed = prefixed
        self._fields: dict[str, _Field] = {}
        self._wheel_guard = WheelGuard(self)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(SPACING)
        first = [param for param in params if shown is None or param.name in shown]
        rest = [param for param in params if param not in first]
        if first:
            outer.addLayout(self._rows(first, self))
        self._rest = QWidget(self)
        self.more = Disclosure("More", self._rest, self)
        self.more.setObjectName(f"{part}_more")
        self.more.setToolTip(f"<p>{html.escape(', '.join(param.label for param in rest))}</p>")
        self.more.setVisible(bool(rest))
        outer.addWidget(self.more, alignment=Qt.AlignmentFlag.AlignRight)
        outer.addWidget(self._rest)
        self._rest.setLayout(self._rows(rest, self._rest))
        self.setVisible(bool(params))

    def field(self, name: str) -> QWidget:
        """The widget of the param `name`. Raises KeyError."""
        return self._fields[name].widget

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def value(self, name: str) -> ParamValue:
        """One value, checked. Raises InputError and shows it at the field; KeyError for an unknown name."""
        field = self._fields[name]
        try:
            return field.param.check(field.read(), part=self.part)
        except InputError as error:
            self.show_error(name, sentence(error))
            raise

    def values(self) -> dict[str, ParamValue]:
        """All values, checked; text still being typed counts. Raises InputError and shows it at the field."""
        return {name: self.value(name) for name in self._fields}

    def set_values(self, values: Mapping[str, ParamValue]) -> None:
        """Show `values`; names that this form lacks are passed over. Emits nothing."""
        for name, value in values.items():
            if name in self._fields:
                self._write(self._fields[name], value)

    def set_enabled_names(self, names: Collection[str] | None, *, why: str = "") -> None:
        """Only `names` stay enabled, or all for None. `why`: the others' tooltip, `{label}` standing for the label."""
        for name, field in self._fields.items():
            enabled = names is None or name in names
            tip = _tooltip(field.param)
            if not enabled:
                tip = html.escape(why.replace("{label}", in_sentence(field.param.label)))
            for widget in (field.widget, field.label):
                if widget is not None:
                    widget.setEnabled(enabled)
                    widget.setToolTip(f"<p>{tip}</p>")

    def show_error(self, name: str, text: str) -> None:
        """Put `text` under the field `name` and unfold it if need be. Raises KeyError."""
        field = self._fields[name]
        field.error.setText(text)
        field.error.setVisible(True)
        _set_invalid(field.widget, invalid=True)
        field.widget.setAccessibleDescription(text)
        if field.widget.parentWidget() is self._rest:
            self.more.setChecked(True)

    def clear_errors(self) -> None:
        for field in self._fields.values():
            self._clear_error(field)

    def reset(self, name: str) -> None:
        """Back to the default, as if the person had typed it."""
        field = self._fields[name]
        self._write(field, field.param.default)
        self._changed(name)

    def context_menu(self, name: str) -> QMenu:
        """The menu of a field: its own, where it edits text, and the way back to the default."""
        field = self._fields[name]
        editor = field.widget if isinstance(field.widget, QLineEdit) else field.widget.findChild(QLineEdit)
        menu = editor.createStandardContextMenu() if editor is not None else QMenu(self)
        menu.setParent(self, menu.windowFlags())
        if menu.actions():
            menu.addSeparator()
        action = menu.addAction(f"Reset to {display(field.param.default) or 'none'}")
        action.setEnabled(field.widget.isEnabled())
        action.triggered.connect(lambda: self.reset(name))
        return menu

    def _rows(self, params: Sequence[Param], parent: QWidget) -> QGridLayout:
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2 * SPACING)
        grid.setVerticalSpacing(SPACING)
        grid.setColumnStretch(0, 1)
        for param in params:
            row = grid.rowCount()
            field = self._make(param, parent)
            self._fields[param.name] = field
            if field.label is None:
                grid.addWidget(field.widget, row, 0, 1, 2)
            else:
                grid.addWidget(field.label, row, 0)
                grid.addWidget(field.widget, row, 1, Qt.AlignmentFlag.AlignRight)
            grid.addWidget(field.error, row + 1, 0, 1, 2)
        return grid

    def _make(self, param: Param, parent: QWidget) -> _Field:
        name = param.name
        error = QLabel(parent)
        error.setProperty("role", "error")
        error.setWordWrap(True)
        error.setTextFormat(Qt.TextFormat.PlainText)
        error.setVisible(False)
        error.setObjectName(f"{self._object_name(name)}_error")
        if param.kind == "bool":
            field = self._make_check(param, parent, error)
        else:
            label = QLabel(param.label, parent)
            label.setWordWrap(True)
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            field = self._make_labelled(param, parent, label, error)
            label.setBuddy(field.widget)
            if isinstance(field.widget, QComboBox):  # as wide as its longest word needs
                field.widget.setMinimumWidth(FIELD_WIDTH)
                field.widget.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
            else:
                field.widget.setFixedWidth(FIELD_WIDTH)
        field.widget.setObjectName(self._object_name(name))
        field.widget.setAccessibleName(param.label)
        self._wheel_guard.guard(field.widget)
        for widget in (field.widget, field.label):
            if widget is not None:
                widget.setToolTip(f"<p>{_tooltip(param)}</p>")
                widget.setWhatsThis(f"<p>{_tooltip(param)}</p>")
                widget.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
                widget.customContextMenuRequested.connect(
                    lambda position, at=widget: self._show_menu(name, at.mapToGlobal(position))
                )
        self._write(field, param.default)
        return field

    def _make_check(self, param: Param, parent: QWidget, error: QLabel) -> _Field:
        check = QCheckBox(param.label, parent)
        check.toggled.connect(lambda: self._changed(param.name))
        return _Field(param, check, None, error, check.isChecked, lambda value: check.setChecked(bool(value)))

    def _make_labelled(self, param: Param, parent: QWidget, label: QLabel, error: QLabel) -> _Field:
        name = param.name
        match param.kind:
            case "choice":
                combo = QComboBox(parent)
                for choice in param.choices:
                    combo.addItem(choice, choice)
                combo.currentIndexChanged.connect(lambda: self._changed(name))
                return _Field(
                    param, combo, label, error, combo.currentData, lambda v: combo.setCurrentIndex(combo.findData(v))
                )
            case "ints":
                line = QLineEdit(parent)
                line.setPlaceholderText("none")
                line.textEdited.connect(lambda: self._check_text(name))
                line.editingFinished.connect(lambda: self._text_finished(name))
                return _Field(param, line, label, error, line.text, lambda v: line.setText(display(v)))
            case "int":
                whole = WholeSpin(param, parent)
                self._connect_spin(name, whole)
                whole.valueChanged.connect(lambda: self._changed(name))
                return _Field(
                    param, whole, label, error, lambda: _read(whole), lambda v: whole.setValue(int(_number(v)))
                )
            case _:
                spin = ScientificSpin(param, parent)
                self._connect_spin(name, spin)
                spin.valueChanged.connect(lambda: self._changed(name))
                return _Field(param, spin, label, error, lambda: _read(spin), lambda v: spin.setValue(_number(v)))

    def _connect_spin(self, name: str, spin: WholeSpin | ScientificSpin) -> None:
        spin.setAccelerated(True)
        spin.lineEdit().textEdited.connect(lambda: self._clear_error(self._fields[name]))
        spin.refused.connect(lambda text: self._refuse(name, text))

    def _object_name(self, name: str) -> str:
        return f"{self.part}_{name}" if name in self._prefixed else name

    def _write(self, field: _Field, value: ParamValue) -> None:
        blocked = field.widget.blockSignals(True)
        field.write(value)
        field.widget.blockSignals(blocked)
        self._clear_error(field)

    def _changed(self, name: str) -> None:
        self._clear_error(self._fields[name])
        self.changed.emit(name)

    def _refuse(self, name: str, text: str) -> None:
        param = self._fields[name].param
        self.show_error(name, f"{text.strip() or 'Nothing'} is not accepted: type {param.accepts()}.")

    def _check_text(self, name: str) -> bool:
        field = self._fields[name]
        self._clear_error(field)
        try:
            field.param.check(field.read(), part=self.part)
        except InputError as error:
            self.show_error(name, sentence(error))
            return False
        return True

    def _text_finished(self, name: str) -> None:
        line = self._fields[name].widget
        if isinstance(line, QLineEdit) and line.isModified() and self._check_text(name):
            line.setModified(False)
            self.changed.emit(name)

    def _clear_error(self, field: _Field) -> None:
        if field.error.text():
            field.error.clear()
            field.error.setVisible(False)
            _set_invalid(field.widget, invalid=False)
            field.widget.setAccessibleDescription("")

    def _show_menu(self, name: str, position: QPoint) -> None:
        menu = self.context_menu(name)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(position)


def _set_invalid(widget: QWidget, *, invalid: bool) -> None:
    """The stylesheet marks fields by this property, which it looks at only when asked to."""
    widget.setProperty("invalid", invalid)
    widget.style().unpolish(widget)
    widget.style().polish(widget)


def _tooltip(param: Param) -> str:
    default = display(param.default) or "none"
    live = " Can be changed while a run is under way." if param.live else ""
    accepted = "" if param.kind == "bool" else f"Accepts {param.accepts()}. "
    return f"{html.escape(param.help)}{live}<br>{html.escape(accepted)}Default: {html.escape(default)}."


def sentence(error: InputError) -> str:
    """An InputError as it stands beside its field, which need not be named again."""
    text = f"{error.problem}: {error.accepted}" if error.accepted else error.problem
    return f"{text[:1].upper()}{text[1:]}."


def _number(value: ParamValue) -> float:
    return float(value) if isinstance(value, bool | int | float) else 0.0


def _read(spin: WholeSpin | ScientificSpin) -> object:
    """The text, where it is not accepted, so that the check refuses it by its own words; else the exact value."""
    if not spin.hasAcceptableInput():
        return spin.cleanText()
    spin.interpretText()
    return spin.value()
