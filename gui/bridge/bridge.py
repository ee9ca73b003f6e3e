"""Bridge: all that the window has done on other threads."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PySide6.QtCore import QCoreApplication, QObject, QTimer

from engine.catalog import ParamValue
from engine.control import Change, ScheduleChange
from engine.errors import InputError
from engine.events import Event
from engine.preload import complete_torch
from engine.rewind.snapshots import Snapshots
from gui.bridge import answers, saving
from gui.bridge.answerer import Asked, Report
from gui.bridge.desk import Desk
from gui.bridge.kept import Kept
from gui.bridge.networks import Networks
from gui.bridge.news import News
from gui.bridge.past import Past
from gui.bridge.run_thread import Provenance
from gui.bridge.runs import Runs
from gui.bridge.tools import Tools
from gui.settings import Settings

if TYPE_CHECKING:
    from engine.config import Choice, RunConfig
    from engine.datasets.data import Dataset
    from engine.inspection.microscope import Specimen
    from engine.live import LiveNetwork
    from engine.race_run import RaceRun
    from engine.runs.store import RunStore

T = TypeVar("T")

REST_AFTER = 1000  # ms after torch's import in which previews and a first run have the processor for themselves


class Bridge(News):
    """Runs and questions on other threads; everything arrives as a signal in the window's thread, see `News`."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept = Kept()
        self._desk = Desk(self)
        self._runs = Runs(self, kept=self._kept)
        self._networks = Networks(self, desk=self._desk, runs=self._runs)
        self._past = Past(self, desk=self._desk, kept=self._kept, networks=self._networks)
        self._tools = Tools(self, desk=self._desk, runs=self._runs, kept=self._kept)
        self._shutting_down = False
        self._warming = False
        self._rest = QTimer(self, interval=REST_AFTER)
        self._rest.timeout.connect(self._complete_torch)
        self._desk.thread_ended.connect(self._check_shut_down)
        self._runs.looked.connect(self._on_frame)
        self._runs.run_done.connect(self._on_run_done)
        self._runs.race_done.connect(self._on_race_done)
        atexit.register(self._wait)
        application = QCoreApplication.instance()
        assert application is not None, "a Bridge needs a QCoreApplication"
        application.aboutToQuit.connect(self._wait)

    # The run.

    @property
    def running(self) -> bool:
        """Whether a run is under way, paused ones included."""
        return self._runs.running

    def start(
        self,
        config: RunConfig,
        *,
        steps: int | None = None,
        checkpoints: Path | None = None,
        provenance: Provenance | None = None,
    ) -> None:
        """Begin a run. Nothing happens while another is under way.

        Args:
            steps: pause after so many.
            checkpoints: the folder of a run that keeps its checkpoints; it goes on from the newest of this set-up. The
                checkpoints of others lie with their record in the history.
            provenance: what the history keeps of where it comes from.
        """
        if self.running or self._shutting_down:
            return
        self._runs.renew_control()
        self._networks.config = config
        snapshots = Snapshots()
        self._past.begin(snapshots)
        self.warm_up()
        self._desk.slow.cancel("network")
        self._runs.start(
            config,
            steps=steps,
            checkpoints=checkpoints,
            provenance=provenance or Provenance(),
            snapshots=snapshots,
            keep=self._past.keep,
        )

    @property
    def racing(self) -> bool:
        """Whether a race is under way whose runs go on at once."""
        return self._runs.racing

    def start_race(self, race: RaceRun) -> None:
        """Begin a race; `race` tells how it stands and ends it. Nothing happens while a run or another race goes on."""
        if not (self.running or self.racing or self._shutting_down):
            self._runs.start_race(race)

    def pause(self) -> None:
        self._runs.control.pause()

    def resume(self) -> None:
        self._runs.control.resume()

    def step_once(self) -> None:
        self._runs.control.step_once()

    def run_epoch(self) -> None:
        self._runs.control.run_epoch()

    def stop(self) -> None:
        self._runs.control.stop()

    def set_speed(self, steps_per_second: float | None) -> None:
        self._runs.control.set_speed(steps_per_second)

    def change(self, name: str, value: float) -> None:
        """Another value of an optimizer's live setting, from the next step on."""
        self._runs.control.change(Change(name, value))

    def change_schedule(self, name: str, params: Mapping[str, ParamValue]) -> None:
        self._runs.control.change(ScheduleChange(name, params))

    @property
    def full_speed(self) -> bool:
        return self._runs.control.speed is None

    @property
    def urgent(self) -> bool:
        """Whether more than steps waits to be taken."""
        return self._runs.channel.urgent

    def take_events(self) -> list[Event]:
        """What the run said since the last call."""
        return self._runs.channel.drain()

    def _on_frame(self) -> None:
        self._networks.follow_run()
        self.frame.emit()

    def _on_run_done(self) -> None:
        self._networks.follow_run()
        if self._shutting_down:
            self._desk.keeper.end()
        self.run_ended.emit()
        self._check_shut_down()

    def _on_race_done(self) -> None:
        self.race_ended.emit()
        self._check_shut_down()

    # Questions. Of each kind only the newest is answered.

    @property
    def ready(self) -> bool:
        """Whether torch is imported."""
        return self._kept.ready.is_set()

    def load_ahead(self) -> None:
        """Load torch's libraries on another thread, without torch and without Python's lock."""
        self._desk.ask(self._desk.slow, "libraries", lambda _: self._desk.load_libraries(), lambda _: None)

    def warm_up(self) -> None:
        """Import torch on another thread, once. Everything else waits for it."""
        if not self._warming:
            self._warming = True
            self._desk.ask(
                self._desk.slow, "torch", lambda _: self._desk.import_torch(self._kept.ready), self._on_torch_imported
            )

    def _on_torch_imported(self, _: None) -> None:
        self._kept.ready.wait()  # the other thread answers within microseconds
        self._rest.start()
        self.torch_ready.emit()

    def _complete_torch(self) -> None:
        """Import what was put off of torch, unless a run is just finding out how it trains fastest: then later."""
        if not self._runs.preparing:
            self._rest.stop()
            self._desk.ask(self._desk.slow, "rest", lambda _: complete_torch(), lambda _: None)

    def preview(self, dataset: Choice) -> None:
        """Load a dataset, downloading it where it must, and sum it up."""
        library = self._kept.library
        self._desk.ask(
            self._desk.slow,
            "preview",
            lambda asked: answers.preview(asked, library, dataset),
            self.preview_ready.emit,
            failed=lambda error: self.preview_failed.emit(_as_input_error("preview", error)),
            progressed=self.preview_progressed.emit,
        )

    def cancel_preview(self) -> None:
        self._desk.forget("preview")
        self._desk.slow.cancel("preview")

    def describe(self, config: RunConfig) -> None:
        """The table of the network's layers."""
        self._desk.ask(
            self._desk.slow,
            "description",
            lambda _: answers.layers(config),
            self.described.emit,
            failed=lambda error: self.description_failed.emit(_as_input_error("description", error)),
        )

    def predict(self, picture: np.ndarray) -> None:
        """Ask the network of this moment about a picture, uint8 (H, W) or (H, W, 3)."""
        self._desk.ask(
            self._desk.quick, "prediction", lambda _: answers.prediction(picture, self.live), self.predicted.emit
        )

    def read_filters(self, layer: str) -> None:
        self._desk.ask(self._desk.quick, "filters", lambda _: answers.filters(layer, self.live), self.filters_read.emit)

    def pick_sample(self, dataset: Choice, *, number: int) -> None:
        """Test sample `number` modulo their count."""
        library = self._kept.library
        self._desk.ask(
            self._desk.slow,
            "sample",
            lambda asked: answers.sample(asked, library, dataset, number),
            self.sample_picked.emit,
        )

    # Files.

    def save_weights(self, path: Path, config: RunConfig) -> None:
        """Write the weights of this moment as safetensors."""
        of = self._networks.config or config
        self._save("save", lambda _: saving.saved_weights(path, self.live, of))

    def save_setup(self, path: Path, config: RunConfig) -> None:
        """Write a set-up as JSON."""
        self._save("setup", lambda _: saving.saved_setup(path, config))

    def save_lesson(self, path: Path, config: RunConfig, *, title: str, text: str, tools: Sequence[str]) -> None:
        """Write a lesson of one stage that runs `config`."""
        self._save("setup", lambda _: saving.saved_lesson(path, config, title=title, text=text, tools=tools))

    def save_settings(self, settings: Settings) -> None:
        """Write the window's settings; only a failure is told."""
        self._save("settings", lambda _: saving.saved_settings(settings))

    def save_film(self, path: Path, layer: str, steps: Sequence[int], draw: saving.Draw) -> None:
        """Write what `draw` makes, on another thread, of a layer's filters at kept steps and of those at the start."""
        snapshots = self._past.snapshots
        if snapshots is not None:
            self._save(
                "film",
                lambda asked: saving.saved_film(asked, path, snapshots, layer=layer, steps=steps, draw=draw),
            )

    def _save(self, kind: str, work: Callable[[Asked], str]) -> None:
        self._desk.ask(self._desk.slow, kind, work, self.saved.emit)

    # Tools, and the history.

    def compute(
        self, kind: str, job: Callable[[], T], done: Callable[[T], None], failed: Callable[[str], None] | None = None
    ) -> None:
        """See `Workbench.compute`."""
        self._tools.compute(kind, job, done, failed)

    def history(
        self, kind: str, job: Callable[[RunStore], T], done: Callable[[T], None], failed: Callable[[str], None]
    ) -> None:
        """See `Tools.history`."""
        self._tools.history(kind, job, done, failed)

    def take(
        self,
        job: Callable[[RunStore, Report], T],
        done: Callable[[T], None],
        failed: Callable[[str], None],
        progressed: Report,
    ) -> None:
        """See `Tools.take`."""
        self._tools.take(job, done, failed, progressed)

    def cancel_taking(self) -> None:
        """Nobody waits for the last `take` any more."""
        self._tools.cancel_taking()

    def examine(self, config: RunConfig, done: Callable[[Specimen], None], failed: Callable[[str], None]) -> None:
        """See `Workbench.examine`; without a run the network is that of `config`."""
        self._tools.examine(config, done, failed)

    def store(self) -> RunStore:
        """The history; to be called within a job of `compute`. Raises StoreError."""
        return self._kept.store()

    def dataset(self, choice: Choice) -> Dataset:
        """A dataset, loaded where it must be. To be called within a job of `compute`. Raises InputError."""
        return self._tools.dataset(choice)

    # The network that answers.

    def live(self) -> LiveNetwork | None:
        """The network that answers now; from any thread."""
        return self._networks.live

    @property
    def trained(self) -> bool:
        """Whether the network that answers is that of a run."""
        return self._networks.trained

    def prepare_network(self, config: RunConfig) -> None:
        """Let the untrained network of `config` answer, unless a run goes on or its weights fit this set-up."""
        self._networks.prepare(config)

    def show_run(
        self, config: RunConfig, live: LiveNetwork | None, *, run: int | None = None, step: int | None = None
    ) -> None:
        """Let the network of a run of the history answer; None: the untrained one of `config`. Not during another run.

        Args:
            run: its number, to go back along it: what was kept is read, then `reopened` says so; None: nobody will.
            step: after which the weights of `live` were.
        """
        if not self.running:
            self._past.forget()
            self._past.newest_step = step
            self._runs.renew_control()
            self._networks.take(config, live)
            if live is None:
                self._networks.prepare(config)
            if run is not None:
                self._past.reopen(config, run, live)

    # Back along the run.

    @property
    def snapshots(self) -> Snapshots | None:
        """Of the last run, the one under way included, or of the run of the history that is shown, once it is read."""
        return self._past.snapshots

    @property
    def past_problem(self) -> str:
        """Why there are no snapshots of the run of the history that is shown, a sentence; else empty."""
        return self._past.refusal

    @property
    def newest_step(self) -> int | None:
        """After which step the newest weights of a run of the history were; None where that was its last."""
        return self._past.newest_step

    @property
    def rewound_to(self) -> int | None:
        """The step whose network answers, None where it is the latest."""
        return self._networks.step

    def rewind(self, step: int | None, *, exact: bool = True) -> None:
        """Let the network of an earlier step answer; None: the latest again.

        Args:
            exact: train forward to a step that is not kept; else the nearest one before is taken. Not while the run
                goes on.
        """
        self._past.rewind(step, exact=exact)

    def branch(
        self, config: RunConfig, step: int, done: Callable[[Provenance], None], failed: Callable[[InputError], None]
    ) -> None:
        """Make ready a run of `config` that goes on from a step of the last run: `done` gets what `start` needs."""
        if not self.running:
            self._past.branch(config, step, done, failed)

    # The end.

    def shut_down_threads(self) -> None:
        """Stop the run and all work; `shut_down` follows when every thread has ended."""
        self._shutting_down = True
        self._stop_all()
        self._check_shut_down()

    @property
    def busy(self) -> bool:
        """Whether any thread is left."""
        return self._runs.busy or self._desk.busy

    def _stop_all(self) -> None:
        self._runs.stop()
        self._kept.ready.set()
        self._desk.end(but=self._desk.keeper if self.running else None)  # the run's last wish comes with its end

    def _wait(self) -> None:
        """The program ends: no thread may be left, whatever became of the window."""
        atexit.unregister(self._wait)
        self._stop_all()
        self._runs.wait_for_run()
        self._desk.keeper.end()
        self._runs.wait()
        self._desk.wait()
        self._kept.close()

    def _check_shut_down(self) -> None:
        if self._shutting_down and not self.busy:
            atexit.unregister(self._wait)
            self._kept.close()
            self.shut_down.emit()


def _as_input_error(field: str, error: Exception) -> InputError:
    return error if isinstance(error, InputError) else InputError(field, str(error))
