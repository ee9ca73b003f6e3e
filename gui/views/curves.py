"""The curves of a run while it learns: loss, accuracy and learning rate over one x axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QAction, QPainter, QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QHBoxLayout,
    QLabel,
    QMenu,
    QSlider,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.files import write_atomically
from gui.ancestors import Ancestor
from gui.curve_panel import ACCURACY, LEARNING_RATE, LOSS, CurvePanel, Shown
from gui.export import curves_csv, png, svg
from gui.file_dialog import ask_where
from gui.icons import icon
from gui.plotting.scale import Range
from gui.run_range import converted, following
from gui.run_state import RunState
from gui.series import SMOOTHING, XAxis
from gui.theme import SPACING, Theme

X_AXES: dict[str, XAxis] = {"Step": "step", "Epoch": "epoch", "Seconds": "seconds"}
DEFAULT_WEIGHT = SMOOTHING.index(0.9)
NARROWEST, ROOMY = 460, 560  # px: the controls fit, with short words; with whole ones
READABLE = 480  # ms that a figure stays
STRETCH = {"loss": 3, "accuracy": 2, "learning_rate": 2}  # heights, relative


class CurvesView(QWidget):
    """Loss, accuracy and learning rate of a run.

    Until the person zooms or pans, the axes follow the run, growing in steps. After that they stay, whatever arrives,
    until *Follow* is pressed or another run begins.

    Signals:
        export_failed(sentence): a file could not be written.
        exported(path): one was.
        choices_changed(): see `choices`.
    """

    export_failed = Signal(str)
    exported = Signal(str)
    choices_changed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._state = RunState()
        self._drawn: tuple[object, ...] = ()
        self._generation = self._state.generation
        self._x: XAxis = "step"
        self._x_range = Range(0.0, 0.0)
        self._follow = True
        self._cursor: float | None = None
        self._step: int | None = None
        self._growing: list[tuple[CurvePanel, Shown]] = []  # the panels as they stand, while steps can be added
        self._ancestors: tuple[Ancestor, ...] = ()
        self._read = QElapsedTimer()
        self.panels = {q.name: CurvePanel(q, theme) for q in (LOSS, ACCURACY, LEARNING_RATE)}
        self._splitter = QSplitter(Qt.Orientation.Vertical)
        self._splitter.setChildrenCollapsible(False)
        for panel in self.panels.values():
            self._splitter.addWidget(panel)
            self._splitter.setStretchFactor(self._splitter.count() - 1, STRETCH[panel.quantity.name])
            panel.plot.ranges_wanted.connect(self._hold(panel))
            panel.plot.follow_wanted.connect(self.follow)
            panel.plot.cursor_wanted.connect(self._point)
            panel.plot.menu_wanted.connect(self._show_menu)
            panel.plot.data_wanted.connect(self._redraw)
        self._menu = self._make_menu()
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(0)
        box.addWidget(self._make_header())
        box.addWidget(self._splitter, 1)
        self.panels["learning_rate"].hide()
        self.set_theme(theme)
        self._redraw()

    # Building

    def _make_header(self) -> QWidget:
        header = QWidget()
        header.setMinimumWidth(NARROWEST)
        row = QHBoxLayout(header)
        row.setContentsMargins(2 * SPACING, SPACING, 2 * SPACING, SPACING)
        row.setSpacing(SPACING)
        segments = QHBoxLayout()
        segments.setSpacing(2)
        row.addLayout(segments)
        self._panel_buttons: dict[str, QToolButton] = {}
        for name, text in (("loss", "Loss"), ("accuracy", "Accuracy"), ("learning_rate", "Rate")):
            button = self._button(text, f"show_{name}", f"Show or hide the {name.replace('_', ' ')}.")
            button.setCheckable(True)
            button.setChecked(name != "learning_rate")
            button.toggled.connect(self._panel_toggled)
            self._panel_buttons[name] = button
            segments.addWidget(button)
        row.addStretch(1)
        self._x_box = QComboBox()
        self._x_box.setObjectName("curves_x")
        self._x_box.addItems(list(X_AXES))
        self._x_box.setMinimumWidth(98)
        self._x_box.setToolTip("What the horizontal axis counts.")
        self._x_box.setAccessibleName("Horizontal axis")
        self._x_box.currentTextChanged.connect(self._x_chosen)
        row.addWidget(self._x_box)
        self._log_button = self._button(
            "Log", "curves_log", "Logarithmic vertical axis for loss and learning rate: shows late, small progress."
        )
        self._log_button.setDefaultAction(self._log_action)
        row.addWidget(self._log_button)
        self._smooth_label = QLabel()
        self._smooth = QSlider(Qt.Orientation.Horizontal)
        self._smooth.setObjectName("curves_smoothing")
        self._smooth.setAccessibleName("Smoothing")
        self._smooth.setRange(0, len(SMOOTHING) - 1)
        self._smooth.setPageStep(1)
        self._smooth.setValue(DEFAULT_WEIGHT)
        self._smooth.setMinimumWidth(24)
        self._smooth.setMaximumWidth(120)
        tip = (
            "Smoothing: the weight of the past in the moving average of every single batch. At 0.99 about the last"
            " hundred batches count. The faint line shows the batches as they are."
        )
        self._smooth.setToolTip(tip)
        self._smooth_label.setToolTip(tip)
        self._smooth_label.setFixedWidth(self.fontMetrics().horizontalAdvance("0.995") + 2)
        self._smooth_label.setText(f"{SMOOTHING[DEFAULT_WEIGHT]:g}")
        self._smooth.valueChanged.connect(self._smoothing_chosen)
        row.addWidget(self._smooth)
        row.addWidget(self._smooth_label)
        self._follow_button = self._button("", "curves_follow", "")
        self._follow_button.setDefaultAction(self._follow_action)
        row.addWidget(self._follow_button)
        self._menu_button = self._button("", "curves_menu", "Save the curves as a picture or as numbers.")
        self._menu_button.setAccessibleName("Save the curves")
        self._menu_button.clicked.connect(self._show_menu_below)
        row.addWidget(self._menu_button)
        return header

    def _button(self, text: str, name: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setObjectName(name)
        button.setToolTip(tip)
        button.setProperty("compact", True)  # for the stylesheet
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        return button

    def _make_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setObjectName("curves_export_menu")
        for text, kinds, suffix, save in (
            ("Save picture as PNG…", "PNG picture (*.png)", "png", self.export_png),
            ("Save picture as SVG…", "SVG picture (*.svg)", "svg", self.export_svg),
            ("Save numbers as CSV…", "Table (*.csv)", "csv", self.export_csv),
        ):
            action = menu.addAction(text)
            action.triggered.connect(self._asker(text.rstrip("…"), kinds, suffix, save))
        menu.addSeparator()
        self._log_action = QAction("Log", menu)
        self._log_action.setCheckable(True)
        self._log_action.setToolTip("Logarithmic vertical axis for loss and learning rate: shows late, small progress.")
        self._log_action.toggled.connect(self._chosen)
        self._follow_action = QAction("Follow", menu)
        self._follow_action.setToolTip("Show the whole run and keep up with it (Home, or a double click).")
        self._follow_action.triggered.connect(self.follow)
        menu.addActions([self._log_action, self._follow_action])
        return menu

    def set_theme(self, theme: Theme) -> None:
        self._theme = theme
        for panel in self.panels.values():
            panel.set_theme(theme)
        self._follow_action.setIcon(icon("follow", theme))
        self._menu_button.setIcon(icon("export", theme))

    def sizeHint(self) -> QSize:
        return QSize(560, 380)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        roomy = self.width() >= ROOMY
        self._panel_buttons["accuracy"].setText("Accuracy" if roomy else "Acc.")
        self._smooth_label.setVisible(roomy)  # the slider needs its room more

    # Drawing

    def refresh(self, state: RunState, *, sparing: bool = False) -> None:
        """Show `state`. Cheap: nothing is drawn while the view is hidden or nothing has changed.

        With `sparing`, for a run that goes on, only the first panel is sure to be drawn; the others and all figures
        stay long enough to be read.
        """
        self._state = state
        if self.isVisible() and (now := self._fingerprint()) != self._drawn:
            whole = not sparing or state.status != "running"
            read = whole or not self._read.isValid() or self._read.elapsed() >= READABLE
            if not self._extend(now, only_first=not read):
                self._redraw(only_first=not read)

    def set_ancestors(self, ancestors: tuple[Ancestor, ...]) -> None:
        """Show these behind the run: those that it goes on from, nearest first."""
        if ancestors != self._ancestors:
            self._ancestors, self._drawn = ancestors, ()
            if self.isVisible():
                self._redraw()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._fingerprint() != self._drawn:
            self._redraw()

    def _fingerprint(self) -> tuple[object, ...]:
        s = self._state
        return (
            s.loss.count,
            s.generation,
            s.status,
            s.preparing,
            s.test_loss.count,
            len(s.interventions),
            s.total_steps,
        )

    def _extend(self, now: tuple[object, ...], *, only_first: bool) -> bool:
        """As `_redraw`, adding the run's new steps alone. False where more has changed than that they are there."""
        if not self._growing or now[1:] != self._drawn[1:] or self._following() != self._x_range:
            return False
        for panel, shown in self._growing[:1] if only_first else self._growing:
            if not panel.extend(self._state, shown, read=not only_first):
                return False
        if not only_first:
            self._read.start()
        self._drawn = now
        return True

    def _redraw(self, *, only_first: bool = False) -> None:
        state = self._state
        if state.generation != self._generation:
            self._generation = state.generation
            self._follow, self._x_range, self._cursor, self._step = True, Range(0.0, 0.0), None, None
        self._drawn = self._fingerprint()
        if self._follow:
            before = self._x_range
            self._x_range = self._following()
            only_first = only_first and self._x_range == before  # all panels stand above one axis
        if not only_first:
            self._read.start()
        self._follow_action.setEnabled(not self._follow)
        panels = self._shown()
        for panel, shown in panels[:1] if only_first else panels:
            panel.refresh(state, shown, read=not only_first)
        self._growing = panels if self._follow else []

    def _following(self) -> Range:
        return following(self._state, self._x, shown=self._x_range, ancestors=self._ancestors)

    def _shown(self) -> list[tuple[CurvePanel, Shown]]:
        """The panels that are not hidden, and how each shows the run."""
        panels = [panel for panel in self.panels.values() if not panel.isHidden()]
        return [
            (
                panel,
                Shown(
                    x=self._x,
                    log=self._log_action.isChecked(),
                    weight_index=self._smooth.value(),
                    x_range=self._x_range,
                    follow=self._follow,
                    cursor=self._cursor,
                    step=self._step,
                    first=panel is panels[0],
                    last=panel is panels[-1],
                    ancestors=self._ancestors,
                ),
            )
            for panel in panels
        ]

    # What the person does

    @property
    def following(self) -> bool:
        return self._follow

    def follow(self) -> None:
        """Show the whole run and keep up with it."""
        self._follow = True
        self._x_range = Range(0.0, 0.0)
        self._redraw()

    def _hold(self, panel: CurvePanel) -> Callable[[Range, Range], None]:
        def hold(x: Range, y: Range) -> None:
            self._follow = False
            self._x_range = x
            panel.plot.set_ranges(x, y)
            self._redraw()

        return hold

    def show_step(self, step: int | None) -> None:
        """Let the cursor stand at a step, the values there read, while nothing else is pointed at; None: the latest."""
        if step != self._step:
            self._step = step
            self._point(self._cursor)

    def _point(self, x: float | None) -> None:
        self._cursor = x
        panels = self._shown()
        for panel, shown in panels:
            panel.point(self._state, shown)
        self._growing = panels if self._growing else []

    def _panel_toggled(self) -> None:
        if not any(button.isChecked() for button in self._panel_buttons.values()):
            button = self.sender()
            if isinstance(button, QToolButton):
                button.setChecked(True)  # one panel always stays
            return
        for name, button in self._panel_buttons.items():
            self.panels[name].setVisible(button.isChecked())
        self._chosen()

    def _x_chosen(self, text: str) -> None:
        new = X_AXES[text]
        if not self._follow:
            same = converted(self._x_range, self._state, old=self._x, new=new)
            self._follow = same is None
            self._x_range = same or Range(0.0, 0.0)
        else:
            self._x_range = Range(0.0, 0.0)
        self._x, self._cursor = new, None
        self._chosen()

    def _smoothing_chosen(self, index: int) -> None:
        self._smooth_label.setText(f"{SMOOTHING[index]:g}")
        self._chosen()

    def _chosen(self) -> None:
        self._redraw()
        self.choices_changed.emit()

    def choices(self) -> dict[str, str | float | bool]:
        """What the person has chosen here, by name, to be kept for the next time."""
        return {
            "x": self._x,
            "log": self._log_action.isChecked(),
            "smoothing": SMOOTHING[self._smooth.value()],
            **{f"show_{name}": button.isChecked() for name, button in self._panel_buttons.items()},
        }

    def set_choices(self, choices: Mapping[str, object]) -> None:
        """Take up what `choices` gave; what is unknown or unusable is passed over."""
        for text, x in X_AXES.items():
            if choices.get("x") == x:
                self._x_box.setCurrentText(text)
        if isinstance(log := choices.get("log"), bool):
            self._log_action.setChecked(log)
        if (weight := choices.get("smoothing")) in SMOOTHING:
            self._smooth.setValue([w == weight for w in SMOOTHING].index(True))
        shown = {name: choices.get(f"show_{name}") for name in self._panel_buttons}
        for name in sorted(shown, key=lambda name: shown[name] is not True):  # first those to show: one must stay
            if isinstance(on := shown[name], bool):
                self._panel_buttons[name].setChecked(on)

    # Files

    def _show_menu_below(self) -> None:
        corner = self._menu_button.rect().bottomRight()
        self._menu.popup(self._menu_button.mapToGlobal(corner) - QPoint(self._menu.sizeHint().width(), 0))

    def _show_menu(self, place: QPoint) -> None:
        self._menu.popup(place)

    def _asker(self, title: str, kinds: str, suffix: str, save: Callable[[Path], bool]) -> Callable[[], None]:
        place = Path(f"curves.{suffix}")
        return lambda: ask_where(self, title, place=place, kinds=kinds, chosen=save)

    def export_png(self, path: Path) -> bool:
        """Write the panels in view as a picture; True if that worked, else `export_failed` says why not."""
        return self._write(path, lambda: png(self._draw, self._splitter.size()), "picture")

    def export_svg(self, path: Path) -> bool:
        """As `export_png`, in lines and text."""
        return self._write(path, lambda: svg(self._draw, self._splitter.size(), title="Learning curves"), "picture")

    def export_csv(self, path: Path) -> bool:
        """Write the run's numbers as `gui.export.curves_csv` gives them; the smoothed ones as chosen here."""
        return self._write(path, lambda: curves_csv(self._state, weight_index=self._smooth.value()), "numbers")

    def _write(self, path: Path, make: Callable[[], bytes], what: str) -> bool:
        try:
            write_atomically(path, make())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            verb = "were" if what == "numbers" else "was"
            self.export_failed.emit(f"The {what} {verb} not saved to {path}: {reason}. Choose another place.")
            return False
        self.exported.emit(str(path))
        return True

    def _draw(self, painter: QPainter) -> None:
        painter.fillRect(0, 0, self._splitter.width(), self._splitter.height(), self._theme.color("panel"))
        for panel, _ in self._shown():
            painter.save()
            painter.translate(panel.pos())
            panel.draw(painter)
            painter.restore()
