"""Runs taken away and in: scripts, weights, set-ups, archives, and whether a script gives a run's weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QMenu, QWidget

from engine.files import write_atomically
from engine.runs.run_record import RunSummary
from gui.bridge import Bridge
from gui.verify_dialog import TakingDialog

if TYPE_CHECKING:
    from engine.runs.store import RunStore
    from engine.script.verify import Verdict

Report = Callable[[str, float | None], None]
T = TypeVar("T")

UNDER_WAY = "This run is under way: stop it, or wait for its end."
NO_RUN = "No run of the history is on screen: press Start, or open one under Runs (Ctrl+R)."
NOT_ONE = "Select a single run."
VERIFYING = (
    "The run's script is written and run in a process of its own, without the network. Then the weights that it "
    "trained are compared with those of the run, bit for bit."
)


@dataclass(frozen=True, slots=True)
class Kind:
    """Something of a run that can be written.

    Attributes:
        entry: the menu's words.
        tip: what it is good for, a sentence.
        title: of the dialog that asks where to.
        suffix: of the file; empty for a folder.
        files: the kind of file, as the dialog shows it.
    """

    entry: str
    tip: str
    title: str
    suffix: str
    files: str


KINDS = {
    "script": Kind(
        "Export script …",
        "One plain PyTorch file, free of Learnscope, that repeats the run with all that was changed during it.",
        "Export the run's script",
        ".py",
        "Python (*.py)",
    ),
    "zip": Kind(
        "Export run (zip) …",
        "Set-up, final weights, figures and script in one file, which opens here on another computer.",
        "Export the run as a zip archive",
        ".zip",
        "Zip archives (*.zip)",
    ),
    "folder": Kind(
        "Export run (folder) …",
        "The same as files in a new folder.",
        "Export the run to a new folder",
        "",
        "",
    ),
    "weights": Kind(
        "Export weights (safetensors) …",
        "The final weights, for safetensors' load_file.",
        "Export the run's weights",
        ".safetensors",
        "Weights (*.safetensors)",
    ),
    "state_dict": Kind(
        "Export weights (state_dict) …",
        "The final weights, for load_state_dict(torch.load(path, weights_only=True)).",
        "Export the run's weights as a state_dict",
        ".pt",
        "PyTorch (*.pt)",
    ),
    "setup": Kind(
        "Export set-up (JSON) …",
        "The run's set-up, for “Open a set-up” and for --config in the terminal.",
        "Export the run's set-up",
        ".json",
        "Set-ups (*.json)",
    ),
}
VERIFY_TIP = "Runs the script and says whether its weights are equal to the run's, with the hashes of both."


class TakeAway(QObject):
    """Offers what can be done with a run, asks where to, and has it done on another thread.

    Args:
        window: the dialogs' parent.
        on_screen: the number of the run on screen, None where it is none of the history.
        say: shows a sentence in the status line.

    Signals:
        imported(run): a run from elsewhere is in the history under this number.
    """

    imported = Signal(int)

    def __init__(
        self, window: QWidget, *, bridge: Bridge, on_screen: Callable[[], int | None], say: Callable[[str], None]
    ) -> None:
        super().__init__(window)
        self._window = window
        self._bridge = bridge
        self._on_screen = on_screen
        self._say = say
        self._dialog: TakingDialog | None = None
        self._folder = Path.home()

    # Menus

    def offer_shown(self, menu: QMenu) -> None:
        """Fill `menu` with what can be done with the run on screen, now."""
        menu.clear()
        run = self._on_screen()
        problem = UNDER_WAY if self._bridge.running else NO_RUN if run is None else ""
        self._fill(menu, run or 0, problem)

    def offer_selected(self, menu: QMenu, runs: list[RunSummary]) -> None:
        """Add to `menu` a menu of what can be done with the selected run."""
        one = runs[0] if len(runs) == 1 else None
        problem = NOT_ONE if one is None else UNDER_WAY if one.status == "running" else ""
        part = QMenu("Take away", menu)
        part.setObjectName("take_away_menu")
        last = next((action for action in menu.actions() if action.objectName() == "run_menu_delete"), None)
        if last is None:
            menu.addMenu(part)
        else:  # what takes a run away for good stays the last, and apart
            menu.insertMenu(last, part)
            menu.insertSeparator(last)
        self._fill(part, 0 if one is None else one.id, problem)

    def _fill(self, menu: QMenu, run: int, problem: str) -> None:
        menu.setToolTipsVisible(True)
        for name, kind in KINDS.items():
            self._add(menu, name, kind.entry, problem or kind.tip, partial(self.ask, name, run), enabled=not problem)
            if name == "script":
                verify = partial(self.verify, run)
                self._add(menu, "verify", "Verify script", problem or VERIFY_TIP, verify, enabled=not problem)
                menu.addSeparator()

    def _add(self, menu: QMenu, name: str, text: str, tip: str, act: Callable[[], None], *, enabled: bool) -> None:
        action = QAction(text, menu)
        action.setObjectName(f"take_{name}")
        action.setToolTip(tip)
        action.setEnabled(enabled)
        action.triggered.connect(lambda _checked=False: act())
        menu.addAction(action)

    # Away

    def ask(self, name: str, run: int) -> None:
        """Ask where to write what is called `name`, as KINDS has it, of `run`; then do it."""
        kind = KINDS[name]
        dialog = QFileDialog(self._window, kind.title, str(self._folder / f"run-{run}{kind.suffix}"), kind.files)
        dialog.setObjectName("take_away_file")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        if kind.suffix:
            dialog.setDefaultSuffix(kind.suffix.removeprefix("."))
        dialog.fileSelected.connect(lambda path: self.write(name, run, Path(path)))
        dialog.open()

    def write(self, name: str, run: int, path: Path) -> None:
        """Write what is called `name` of `run` to `path`, whole or not at all."""
        self._folder = path.parent
        job = partial(_written, name, run, path)
        about = f"{path.name} is being written. Steps whose weights were not kept are trained again."
        self._begin(KINDS[name].title, about, job, self._wrote, self._say_and_end)

    def _wrote(self, sentence: object) -> None:
        self._end()
        self._say(str(sentence))

    def verify(self, run: int) -> None:
        """Run the script of `run` and say whether its weights are equal."""

        def job(store: RunStore, report: Report) -> Verdict:
            from engine.run_taking import verified

            return verified(store, run, report)

        self._begin(f"Verify the script of run {run}", VERIFYING, job, self._show_verdict, self._show_problem)
        if self._dialog is not None:
            self._dialog.open()

    def _show_verdict(self, verdict: Verdict) -> None:
        dialog, self._dialog = self._dialog, None
        if dialog is not None:
            dialog.show_verdict(verdict)

    def _show_problem(self, sentence: str) -> None:
        dialog, self._dialog = self._dialog, None
        if dialog is not None:
            dialog.show_problem(sentence)

    # In

    def open_archive(self, path: Path) -> None:
        """Take a run from elsewhere into the history. A file of an exported folder stands for the folder."""
        if self._bridge.running:
            self._say("A run is under way: stop it before opening another.")
            return
        place = path if path.suffix.lower() == ".zip" or path.is_dir() else path.parent

        def job(store: RunStore, report: Report) -> int:
            from engine.run_taking import import_run

            return import_run(store, place, report)

        about = f"All that {place.name} claims is checked, then it is taken into the history."
        self._begin("Open a run archive", about, job, self._took_in, self._say_and_end)

    def _took_in(self, run: int) -> None:
        self._end()
        self.imported.emit(run)

    # One at a time

    def _begin(
        self,
        title: str,
        about: str,
        job: Callable[[RunStore, Report], T],
        done: Callable[[T], None],
        failed: Callable[[str], None],
    ) -> None:
        if self._dialog is not None:
            self._say("Something is still being taken away or in: wait for it, or cancel it.")
            return
        self._dialog = TakingDialog(self._window, title, about, self._cancel)
        self._bridge.take(job, done, failed, self._dialog.show_progress)

    def _say_and_end(self, sentence: str) -> None:
        self._end()
        self._say(sentence)

    def _end(self) -> None:
        dialog, self._dialog = self._dialog, None
        if dialog is not None:
            dialog.done_quietly()

    def _cancel(self) -> None:
        self._dialog = None
        self._bridge.cancel_taking()
        self._say("Cancelled.")


def _written(name: str, run: int, path: Path, store: RunStore, report: Report) -> str:
    """Write it, on another thread; returns what is to be said of it. Raises InputError."""
    try:
        return _write(name, run, path, store, report)
    except OSError as error:
        return f"{path.name} could not be written: {error.strerror or error}."


def _write(name: str, run: int, path: Path, store: RunStore, report: Report) -> str:
    from engine.export import save_safetensors, save_state_dict, write_folder, write_zip
    from engine.run_taking import script_of, taken

    match name:
        case "setup":
            write_atomically(path, store.run(run).config.to_json().encode())
        case "script":
            write_atomically(path, script_of(store, run, report).encode())
        case _:
            exported = taken(store, run, report)
            report(f"Writing {path.name}", None)
            match name:
                case "zip":
                    write_zip(path, exported)
                case "folder":
                    write_folder(path, exported)
                case "weights":
                    save_safetensors(path, exported.weights, exported.config)
                case _:
                    save_state_dict(path, exported.weights)
    what = {"setup": "set-up", "script": "script", "weights": "weights", "state_dict": "weights"}.get(name, "run")
    return f"The {what} of run {run} {'were' if what == 'weights' else 'was'} saved to {path.name}."
