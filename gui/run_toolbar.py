"""The tool bar: the run's buttons, its speed, and the window's menu."""

from __future__ import annotations

import math
from dataclasses import dataclass

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeySequence, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSizePolicy,
    QSlider,
    QToolBar,
    QToolButton,
    QWidget,
)

from gui.icons import icon
from gui.run_state import Status
from gui.theme import SPACING, Theme

NARROW = 1140  # px
_RESUME = "Resume"  # what Start says while the run is paused
SPEEDS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, None)
"""Steps a second by the slider's place; None is full speed."""


@dataclass(frozen=True, slots=True)
class _Spec:
    name: str
    text: str
    drawing: str
    key: str
    tip: str


_BUTTONS = (
    _Spec("start", "Start", "play", "Space", "Start training"),
    _Spec("pause", "Pause", "pause", "Space", "Pause before the next step"),
    _Spec("step", "Step", "step", ".", "Do one step, then pause"),
    _Spec("epoch", "Epoch", "epoch", "E", "Go on to the end of the epoch, then pause"),
    _Spec("stop", "Stop", "stop", "Esc", "End the run and keep its weights"),
)
_REFUSALS: dict[tuple[str, Status], str] = {
    ("start", "running"): "The run is under way: pause or stop it.",
    ("pause", "idle"): "Nothing is running: press Start first.",
    ("pause", "finished"): "The run has ended: press Start for another.",
    ("pause", "failed"): "The run has ended: press Start for another.",
    ("stop", "idle"): "Nothing is running.",
    ("stop", "finished"): "The run has ended.",
    ("stop", "failed"): "The run has ended.",
}


class RunToolbar(QToolBar):
    """Signals: `start`, `pause`, `resume`, `step`, `epoch`, `stop` as asked; `speed(steps a second or None)`;
    `theme`, `keys`: the buttons at the right.

    Attributes:
        menu: the window's menu, filled by the window.
        lessons: the menu of lessons, filled when it is about to show.

    Args:
        window: whose keys these are.
    """

    start = Signal()
    pause = Signal()
    resume = Signal()
    step = Signal()
    epoch = Signal()
    stop = Signal()
    speed = Signal(object)
    theme = Signal()
    keys = Signal()

    def __init__(self, theme: Theme, window: QWidget) -> None:
        super().__init__("Run", window)
        self._window = window
        self.setObjectName("run_toolbar")
        self.setMovable(False)
        self.setFloatable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self._theme = theme
        self._status: Status = "idle"
        self._ending = False
        self._buttons: dict[str, QToolButton] = {}
        for spec in _BUTTONS:
            button = self._button(spec.name, spec.text, Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.clicked.connect(lambda _checked=False, name=spec.name: self.press(name))
            self._buttons[spec.name] = button
        self._buttons["pause"].setCheckable(True)
        self.addSeparator()
        self._speed = self._speed_slider()
        spacer = QWidget()
        spacer.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.addWidget(spacer)
        self.lessons = QMenu(self)
        self.lessons.setObjectName("lessons_menu")
        self.lessons.setToolTipsVisible(True)
        self._lessons_button = self._button("lessons", "Lessons", Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._lessons_button.setToolTip("The tutorials as set-ups to run, change and look into (Alt+L)")
        self._lessons_button.setShortcut(QKeySequence("Alt+L"))
        self._lessons_button.setMenu(self.lessons)
        self._lessons_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = QMenu(self)
        self.menu.setObjectName("window_menu")
        self._menu_button = self._button("menu", "Menu", Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self._menu_button.setToolTip("Panels, files and settings (Alt+M)")
        self._menu_button.setShortcut(QKeySequence("Alt+M"))
        self._menu_button.setMenu(self.menu)
        self._menu_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._theme_button = self._button("theme", "Light or dark", Qt.ToolButtonStyle.ToolButtonIconOnly)
        self._theme_button.setToolTip("Light or dark (Ctrl+D)")
        self._theme_button.clicked.connect(self.theme)
        self._keys_button = self._button("keys", "Keys", Qt.ToolButtonStyle.ToolButtonIconOnly)
        self._keys_button.setToolTip("All keys (?). F1: what is this? Then click anything.")
        self._keys_button.clicked.connect(self.keys)
        self._add_shortcuts()
        self.set_theme(theme)
        self.show_status("idle")

    # What can be pressed now

    def show_status(self, status: Status, *, ending: bool = False) -> None:
        """Enable what makes sense; the rest says why not. `ending`: the run was told to stop and has not yet."""
        self._status, self._ending = status, ending
        under_way = status in ("running", "paused")
        for spec in _BUTTONS:
            button = self._buttons[spec.name]
            reason = "The run is stopping." if ending else _REFUSALS.get((spec.name, status), "")
            button.setEnabled(not reason)
            button.setToolTip(reason or f"{spec.tip} ({spec.key})")
        start = self._buttons["start"]
        start.setText(_RESUME if status == "paused" else "Start")
        if status == "paused" and not ending:
            start.setToolTip("Go on training (Space)")
            self._buttons["pause"].setToolTip("Go on training (Space)")
        self._buttons["pause"].setChecked(status == "paused")
        role = "" if under_way and status != "paused" else "primary"
        if start.property("role") != role:
            start.setProperty("role", role)
            start.style().unpolish(start)
            start.style().polish(start)
        self._set_icons()

    def press(self, name: str) -> None:
        """Do what the button does, as a click or a key asks for it; nothing where it is disabled."""
        if not self._buttons[name].isEnabled():
            return
        if name in ("start", "pause") and self._status == "paused":
            self.resume.emit()
        else:
            getattr(self, name).emit()
        self._buttons["pause"].setChecked(self._status == "paused")

    def toggle(self) -> None:
        """Space: start, pause or go on, whichever makes sense; but a control with the focus is what is meant then."""
        focus = self._window.focusWidget()
        if isinstance(focus, QAbstractButton):
            focus.animateClick()
        elif isinstance(focus, QComboBox):
            focus.showPopup()
        else:
            self.press("pause" if self._status == "running" else "start")

    def focus_start(self) -> None:
        """Let the keyboard begin at Start."""
        self._buttons["start"].setFocus(Qt.FocusReason.OtherFocusReason)

    # Speed

    def speed_place(self) -> int:
        return self._speed.value()

    def set_speed_place(self, place: int) -> None:
        self._speed.setValue(place)

    def set_speed(self, speed: float | None) -> None:
        """The slider's nearest place to `speed` steps a second; None is full speed."""
        if speed is None:
            self._speed.setValue(len(SPEEDS) - 1)
            return
        nearest = min((abs(math.log(known / speed)), place) for place, known in enumerate(SPEEDS) if known is not None)
        self._speed.setValue(nearest[1])

    def show_speed_slider(self, shown: bool) -> None:
        self._speed_action.setVisible(shown)

    # Looks

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        self._set_icons()
        for button, drawing in (
            (self._lessons_button, "lessons"),
            (self._menu_button, "settings"),
            (self._theme_button, "theme"),
            (self._keys_button, "help"),
        ):
            button.setIcon(icon(drawing, theme))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In a narrow window the words that are least needed make room, so that every button stays."""
        super().resizeEvent(event)
        narrow = event.size().width() < NARROW
        styles = Qt.ToolButtonStyle
        self._menu_button.setToolButtonStyle(styles.ToolButtonIconOnly if narrow else styles.ToolButtonTextBesideIcon)
        self._speed_title.setVisible(not narrow)

    def showEvent(self, event: QShowEvent) -> None:
        """Start is as wide as in any of its looks: else the buttons beside it would move when they are pressed."""
        super().showEvent(event)
        start = self._buttons["start"]
        if start.property("role") == "primary":
            said = start.text()
            start.setText(_RESUME)
            start.setMinimumWidth(start.sizeHint().width())
            start.setText(said)

    def _set_icons(self) -> None:
        for spec in _BUTTONS:
            button = self._buttons[spec.name]
            role = "on_accent" if button.property("role") == "primary" else "text"
            mark = (self._theme.name, role)
            if button.property("drawn") != mark:
                button.setProperty("drawn", mark)
                button.setIcon(icon(spec.drawing, self._theme, role=role))

    def _button(self, name: str, text: str, style: Qt.ToolButtonStyle) -> QToolButton:
        button = QToolButton()
        button.setObjectName(name)
        button.setText(text)
        button.setAccessibleName(text)
        button.setToolButtonStyle(style)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.addWidget(button)
        return button

    def _speed_slider(self) -> QSlider:
        box = QWidget()
        row = QHBoxLayout(box)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2 * SPACING)
        title = self._speed_title = QLabel("Speed")
        title.setProperty("role", "secondary")
        self._speed_text = QLabel()
        self._speed_text.setObjectName("speed_text")
        self._speed_text.setProperty("role", "secondary")
        self._speed_text.setMinimumWidth(self._speed_text.fontMetrics().horizontalAdvance("500 steps/s "))
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setObjectName("speed")
        slider.setAccessibleName("Speed")
        slider.setToolTip(
            "Slow motion, down to one step a second; at the right end full speed (Ctrl+Left, Ctrl+Right)."
        )
        slider.setRange(0, len(SPEEDS) - 1)
        slider.setPageStep(1)
        slider.setFixedWidth(96)
        slider.setValue(len(SPEEDS) - 1)
        slider.valueChanged.connect(self._on_speed)
        title.setBuddy(slider)
        for widget in (title, slider, self._speed_text):
            row.addWidget(widget)
        self._speed_action = self.addWidget(box)
        self._show_speed(SPEEDS[-1])
        return slider

    def _on_speed(self, place: int) -> None:
        self._show_speed(SPEEDS[place])
        self.speed.emit(SPEEDS[place])

    def _show_speed(self, speed: float | None) -> None:
        self._speed_text.setText("full" if speed is None else f"{speed:g} step{'s' * (speed != 1)}/s")

    def _add_shortcuts(self) -> None:
        for keys, act in (
            ("Space", self.toggle),
            (".", lambda: self.press("step")),
            ("E", lambda: self.press("epoch")),
            ("Esc", lambda: self.press("stop")),
            ("Ctrl+D", self.theme.emit),
            ("?", self.keys.emit),
            ("Ctrl+Left", lambda: self._speed.setValue(self._speed.value() - 1)),
            ("Ctrl+Right", lambda: self._speed.setValue(self._speed.value() + 1)),
        ):
            action = QAction(self)
            action.setShortcut(QKeySequence(keys))
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            action.setAutoRepeat(keys == ".")
            action.triggered.connect(lambda _checked=False, act=act: act())
            self._window.addAction(action)
