"""The only file that knows threads: the run's, a race's, and seven that answer the window's questions."""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np
from PySide6.QtCore import QCoreApplication, QObject, Qt, QThread, QTimer, Signal

from engine.catalog import ParamValue
from engine.channel import Channel
from engine.config import Choice, RunConfig
from engine.control import Change, RunControl, ScheduleChange
from engine.datasets.library import Library
from engine.errors import InputError
from engine.events import CheckpointSaved, Event, Failed, Finished, Preparing, StepFinished
from engine.files import write_atomically
from engine.lessons.lesson import Lesson, save_lesson, stage_of
from engine.preload import import_torch, share_cores, use_one_thread
from engine.rewind.snapshots import Snapshots
from engine.runs.recorder import RunRecorder
from engine.runs.run_record import Branch
from engine.runs.store import RunStore
from gui.settings import Settings, save

if TYPE_CHECKING:
    from pathlib import Path

    from engine.checkpoint import Checkpoint
    from engine.checkpoint_folder import CheckpointPolicy
    from engine.datasets.data import Dataset
    from engine.inspection.microscope import Specimen
    from engine.live import LiveNetwork
    from engine.race_run import RaceRun
    from engine.rewind.moments import Moment
    from engine.rewind.reopened import Reopened
    from engine.snapshots import FilterImages
    from engine.tuning import Tuner

T = TypeVar("T")

_TOOL = "tool: "  # begins the kinds of `compute`
_TAKE = f"{_TOOL}take"
FRAME = 48  # ms between two looks into the channel
CHECKPOINT_EVERY = 30.0  # s of training: what a run loses at most that ends with the program
KEEP_EVERY = (
    60.0  # s between two writings of the snapshots, with a checkpoint: from there on such a run is trained again
)
BEST_FROM = (
    100  # steps an epoch has at least for its weights to be kept where they are the best: shorter ones cost more
)


TELL_EVERY = 0.1  # s between two words on how far it is to a step
TRAINING_AGAIN = "Training up to this step again"
_READING = "The steps that were kept of this run are being read."
_UNKEPT = "The steps of this run could not be kept to go back along it later"


class Cancelled(Exception):  # noqa: N818  # not an error
    """A question that nobody asks any more."""


@dataclass(frozen=True, slots=True)
class _Question:
    kind: str
    number: int
    work: Callable[[_Asked], object]


class _Asked:
    """What the work behind a question may use: progress, and whether an answer is still wanted."""

    def __init__(self, report: Callable[[str, float | None], None]) -> None:
        self.report = report
        self.cancelled = False

    def check(self) -> None:
        """Raises Cancelled."""
        if self.cancelled:
            raise Cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a run comes from, for the history.

    Attributes:
        lesson, stage: of which it is, if it is of one.
        parent: the run and the step that it goes on from in another way.
        run, checkpoint: the run of the history that goes on, and from where.
    """

    lesson: str = ""
    stage: int | None = None
    parent: Branch | None = None
    run: int | None = None
    checkpoint: Checkpoint | None = None


class _Answerer(QThread):
    """Works through questions. Of one kind only the newest counts: it replaces one that waits and cancels one at work.

    Args:
        replace: a newer question cancels one at work.
        thorough: what waits when it is to end is done first.

    Signals: `answered(kind, number, answer)`, `failed(kind, number, error)`, `progressed(kind, number, what, done)`.
    """

    answered = Signal(str, int, object)
    failed = Signal(str, int, object)
    progressed = Signal(str, int, str, object)

    def __init__(self, parent: QObject, *, replace: bool, thorough: bool = False) -> None:
        super().__init__(parent)
        self._replace = replace
        self._thorough = thorough
        self._condition = threading.Condition()
        self._waiting: dict[str, _Question] = {}
        self._current: tuple[_Question, _Asked] | None = None
        self._ending = False

    def ask(self, question: _Question) -> None:
        with self._condition:
            self._cancel_current(question.kind)
            self._waiting.pop(question.kind, None)
            self._waiting[question.kind] = question
            self._condition.notify()

    def cancel(self, kind: str) -> None:
        with self._condition:
            self._waiting.pop(kind, None)
            if self._current and self._current[0].kind == kind:
                self._current[1].cancelled = True

    def end(self) -> None:
        """Cancel everything, unless it is thorough; the thread ends as soon as it can."""
        with self._condition:
            self._ending = True
            if not self._thorough:
                self._waiting.clear()
                if self._current:
                    self._current[1].cancelled = True
            self._condition.notify()

    def _cancel_current(self, kind: str) -> None:
        if self._replace and self._current and self._current[0].kind == kind:
            self._current[1].cancelled = True

    def run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._ending or bool(self._waiting))
                if not self._waiting:
                    return
                question = self._waiting.pop(next(iter(self._waiting)))
                asked = _Asked(partial(self.progressed.emit, question.kind, question.number))
                self._current = (question, asked)
            try:
                answer = question.work(asked)
                asked.check()
            except Cancelled:
                pass
            except Exception as error:  # whatever it is, it belongs to the one who asked
                self.failed.emit(question.kind, question.number, error)
            else:
                self.answered.emit(question.kind, question.number, answer)
            with self._condition:
                self._current = None


class _Kept:
    """What outlives a run: loaded datasets and measurements. `ready` is set once torch is imported."""

    def __init__(self) -> None:
        self.library = Library()
        self.ready = threading.Event()
        self._tuner: Tuner | None = None
        self._store: RunStore | None = None
        self._opening = threading.Lock()

    def store(self) -> RunStore:
        """The history, opened by the first who asks; not for the window's thread. Raises StoreError."""
        with self._opening:
            if self._store is None:
                self._store = RunStore()
            return self._store

    def close(self) -> None:
        """Let go of the history."""
        with self._opening:
            if self._store is not None:
                self._store.close()
                self._store = None

    def tuner(self) -> Tuner:
        from engine.tuning import Tuner

        if self._tuner is None:
            self._tuner = Tuner()
        return self._tuner


class _RunThread(QThread):
    """One run, from its first event to its last, into the history and the channel.

    Signals:
        recorded(run): its number in the history; before its first event.
        unrecorded(sentence): why the history does not have all of it.
    """

    recorded = Signal(int)
    unrecorded = Signal(str)

    def __init__(
        self,
        parent: QObject,
        *,
        config: RunConfig,
        control: RunControl,
        channel: Channel,
        kept: _Kept,
        checkpoints: Path | None,
        provenance: Provenance,
        snapshots: Snapshots,
        keep: Callable[[Path, Snapshots], None],
    ) -> None:
        super().__init__(parent)
        self._snapshots = snapshots
        self._keep = keep
        self._checkpoints = checkpoints
        self._config = config
        self._control = control
        self._channel = channel
        self._kept = kept
        self._provenance = provenance

    def run(self) -> None:
        step, told = 0, False
        kept_at = time.monotonic()
        worth_keeping = self._provenance.parent is not None  # a branch's beginning is nowhere else
        last: Event | None = None  # told once the record is closed: then the next run can begin
        self._kept.ready.wait()
        with self._recorder() as recorder:
            if recorder.run_id is not None:
                self._snapshots.run = str(recorder.run_id)
                self.recorded.emit(recorder.run_id)
            try:
                for event in self._events(recorder):
                    recorder.put(event)
                    if isinstance(event, Finished | Failed):
                        last = event
                    else:
                        self._channel.put(event)
                    step = getattr(event, "step", step)
                    if isinstance(event, CheckpointSaved) and event.kind == "latest":
                        worth_keeping = time.monotonic() - kept_at >= KEEP_EVERY
                    elif worth_keeping and isinstance(event, StepFinished) and recorder.folder is not None:
                        worth_keeping, kept_at = False, time.monotonic()
                        self._keep(recorder.folder, self._snapshots)
                    if recorder.problem is not None and not told:
                        told = True
                        self.unrecorded.emit(recorder.problem)
            except Exception as error:  # a defect must not lose the run: it ends with what it has, and says why
                last = Failed("error", f"The run ended after step {step}: {error}", step)
                recorder.put(last)
        if recorder.folder is not None:
            self._keep(recorder.folder, self._snapshots)
        if last is not None:
            self._channel.put(last)
        if recorder.problem is not None and not told:
            self.unrecorded.emit(recorder.problem)

    def _events(self, recorder: RunRecorder) -> Iterator[Event]:
        from engine.lessons.keeping import pick_up
        from engine.training import train

        plan = None if self._checkpoints is None else pick_up(self._config, self._checkpoints)
        if plan is not None and plan.note:
            self._channel.put(Preparing(plan.note))
        origin = self._provenance
        if origin.run is not None and origin.checkpoint is not None:
            from engine.rewind.history import kept_before

            with suppress(InputError):  # it can then be gone back along from here on alone
                self._snapshots.take_over(*kept_before(self._kept.store(), origin.run, origin.checkpoint))
        yield from train(
            plan.config if plan else self._config,
            self._control,
            library=self._kept.library,
            tuner=self._kept.tuner(),
            resume=plan.checkpoint if plan else self._provenance.checkpoint,
            checkpoints=plan.policy if plan else self._policy(recorder),
            snapshots=self._snapshots,
        )

    def _recorder(self) -> RunRecorder:
        """Of this run in the history. Whatever is wrong with the history, the run goes on."""
        if self._control.stopping:
            return RunRecorder(None)
        origin = self._provenance
        try:
            store = self._kept.store()
            if origin.run is not None and origin.checkpoint is not None:
                return store.resume(origin.run, origin.checkpoint.interventions)
            return store.record(self._config, lesson=origin.lesson, stage=origin.stage, parent=origin.parent)
        except InputError as error:
            return RunRecorder(None, problem=error.sentence)
        except Exception as error:
            logging.getLogger(__name__).exception("the run is not recorded")
            return RunRecorder(None, problem=f"The run is not recorded: {error}")

    def _policy(self, recorder: RunRecorder) -> CheckpointPolicy | None:
        from engine.checkpoint_folder import CheckpointPolicy

        if recorder.folder is None:
            return None
        config = self._config
        steps = config.dataset_info().train_size / config.training.batch_size
        return CheckpointPolicy(
            folder=recorder.folder,
            every_seconds=CHECKPOINT_EVERY,
            every_epochs=0,
            copy_epochs=0,
            at_best=steps >= BEST_FROM,
        )


class _RaceThread(QThread):
    """Follows a race whose runs are processes of their own, into the history."""

    def __init__(self, parent: QObject, *, race: RaceRun, kept: _Kept) -> None:
        super().__init__(parent)
        self.race = race
        self._kept = kept

    def run(self) -> None:
        try:
            store = self._kept.store()
        except InputError as error:
            store, self.race.problem = None, error.sentence
        self.race.follow(store)


class Bridge(QObject):
    """Runs and questions on other threads; everything arrives as a signal in the window's thread.

    Signals:
        frame: time to look at what a run said, by `take_events`.
        run_ended: the run's thread is done; all its events wait to be taken.
        recorded: the number that the run under way has in the history.
        race_ended: the race is over, all its processes have ended.
        torch_ready: torch is imported; questions are answered from now on.
        preview_progressed: what is being done, and its share (float or None); `preview_ready`: a DatasetPreview;
            `preview_failed`: an InputError.
        described: a LayerTable; `description_failed`: an InputError.
        network_changed: another network answers from now on: its filter layers, a tuple of FilterLayer.
        predicted: (sample, probabilities): what the network received, uint8 (C, H, W), and its answer, float32.
        rewound: the step whose network answers now, an int, or None for the latest.
        rewind_progressed: what is done on the way to a step, and its share (float or None).
        reopened: one can go back along the run of the history that is shown, or `past_problem` says why not. The step
            whose weights answer from now on, an int, where there were none before; else None.
        filters_read: (FilterImages now, FilterImages before the first step).
        sample_picked: a picture of the test set, uint8 (H, W) or (H, W, 3).
        saved: a sentence that says what was saved, or why it was not.
        problem: a sentence about something unexpected; the details are logged.
        shut_down: every thread has ended.
    """

    frame = Signal()
    run_ended = Signal()
    recorded = Signal(int)
    race_ended = Signal()
    torch_ready = Signal()
    preview_progressed = Signal(str, object)
    preview_ready = Signal(object)
    preview_failed = Signal(object)
    described = Signal(object)
    description_failed = Signal(object)
    network_changed = Signal(object)
    predicted = Signal(object)
    filters_read = Signal(object)
    rewound = Signal(object)
    rewind_progressed = Signal(str, object)
    reopened = Signal(object)
    sample_picked = Signal(object)
    saved = Signal(str)
    problem = Signal(str)
    shut_down = Signal()
    _examined = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._kept = _Kept()
        self._channel = Channel()
        self._control = RunControl()
        self._run: _RunThread | None = None
        self._race: _RaceThread | None = None
        self._config: RunConfig | None = None
        self._untrained: LiveNetwork | None = None
        self._numbers: dict[str, int] = {}
        self._delivered: dict[str, int] = {}
        self._shutting_down = False
        self._warming = False
        self._announced: LiveNetwork | None = None
        self._snapshots: Snapshots | None = None
        self._moment: Moment | None = None
        self._newest: int | None = None
        self._past_problem = ""
        self._unkept: set[tuple[Path, str]] = set()  # runs whose steps could not be kept, and why: it is told once
        # Threads belong to the application: should the window be destroyed first, they still end in good order.
        application = QCoreApplication.instance()
        assert application is not None, "a Bridge needs a QCoreApplication"
        self._quick, self._slow = _Answerer(application, replace=False), _Answerer(application, replace=True)
        self._tools = _Answerer(application, replace=False)
        self._past = _Answerer(application, replace=False, thorough=True)
        self._rewinder = _Answerer(application, replace=False)
        self._keeper = _Answerer(application, replace=False, thorough=True)
        self._taker = _Answerer(application, replace=False)
        self._taking: Callable[[str, float | None], None] | None = None
        self._answerers = (
            self._quick,
            self._slow,
            self._tools,
            self._past,
            self._rewinder,
            self._keeper,
            self._taker,
        )
        self._threads: list[QThread] = [*self._answerers]
        for answerer in self._answerers:
            answerer.answered.connect(self._on_answered)
            answerer.failed.connect(self._on_failed)
            answerer.progressed.connect(self._on_progressed)
            answerer.finished.connect(self._on_thread_finished)
            answerer.start()
        self._examined.connect(self._on_examined)
        self._timer = QTimer(self, interval=FRAME, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_timer)
        atexit.register(self._wait)
        application.aboutToQuit.connect(self._wait)

    # The run.

    @property
    def running(self) -> bool:
        """Whether a run is under way, paused ones included."""
        return self._run is not None

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
        if self._run is not None or self._shutting_down:
            return
        speed = self._control.speed
        self._control = RunControl()
        self._control.set_speed(speed)
        for _ in range(steps or 0):
            self._control.step_once()
        self._config = config
        self._forget_past()
        self._snapshots = Snapshots()
        self._channel.drain()
        application = QCoreApplication.instance()
        assert application is not None
        self._run = _RunThread(
            application,
            config=config,
            control=self._control,
            channel=self._channel,
            kept=self._kept,
            checkpoints=checkpoints,
            provenance=provenance or Provenance(),
            snapshots=self._snapshots,
            keep=self._keep_snapshots,
        )
        self._run.recorded.connect(self.recorded)
        self._run.unrecorded.connect(self.problem)
        self._run.finished.connect(self._on_run_finished)
        self._threads.append(self._run)
        self.warm_up()
        self._slow.cancel("network")
        self._run.start()
        self._timer.start()

    @property
    def racing(self) -> bool:
        """Whether a race is under way whose runs go on at once."""
        return self._race is not None

    def start_race(self, race: RaceRun) -> None:
        """Begin a race; `race` tells how it stands and ends it. Nothing happens while a run or another race goes on."""
        if self._run is not None or self._race is not None or self._shutting_down:
            return
        application = QCoreApplication.instance()
        assert application is not None
        self._race = _RaceThread(application, race=race, kept=self._kept)
        self._race.finished.connect(self._on_race_finished)
        self._threads.append(self._race)
        self._race.start()

    def _on_race_finished(self) -> None:
        thread, self._race = self._race, None
        if thread is not None:
            self._threads.remove(thread)
            thread.deleteLater()
        self.race_ended.emit()
        self._check_shut_down()

    def pause(self) -> None:
        self._control.pause()

    def resume(self) -> None:
        self._control.resume()

    def step_once(self) -> None:
        self._control.step_once()

    def run_epoch(self) -> None:
        self._control.run_epoch()

    def stop(self) -> None:
        self._stop_run()

    def set_speed(self, steps_per_second: float | None) -> None:
        self._control.set_speed(steps_per_second)

    def change(self, name: str, value: float) -> None:
        """Another value of an optimizer's live setting, from the next step on."""
        self._control.change(Change(name, value))

    def change_schedule(self, name: str, params: Mapping[str, ParamValue]) -> None:
        self._control.change(ScheduleChange(name, params))

    @property
    def full_speed(self) -> bool:
        return self._control.speed is None

    @property
    def urgent(self) -> bool:
        """Whether more than steps waits to be taken."""
        return self._channel.urgent

    def take_events(self) -> list[Event]:
        """What the run said since the last call."""
        return self._channel.drain()

    def _on_timer(self) -> None:
        self._announce(self._control.live)
        self.frame.emit()

    # Questions. Of each kind only the newest is answered.

    @property
    def ready(self) -> bool:
        """Whether torch is imported."""
        return self._kept.ready.is_set()

    def warm_up(self) -> None:
        """Import torch on another thread, once. Everything else waits for it."""
        if self._warming:
            return
        self._warming = True
        kept, quick, tools, keeper = self._kept, self._quick, self._tools, self._keeper

        def work(asked: _Asked) -> object:  # noqa: ARG001
            share_cores()
            import_torch()
            use_one_thread()
            quick.ask(_Question("thread", 0, lambda _asked: use_one_thread()))
            tools.ask(_Question("thread", 0, lambda _asked: use_one_thread()))
            keeper.ask(_Question("thread", 0, lambda _asked: use_one_thread()))
            quick.ask(_Question("ready", 0, lambda _asked: kept.ready.set()))
            return None

        self._ask(self._slow, "torch", work)

    def preview(self, dataset: Choice) -> None:
        """Load a dataset, downloading it where it must, and sum it up."""
        library = self._kept.library

        def work(asked: _Asked) -> object:
            from engine.datasets.preview import make_preview

            loading = library.load(dataset.name, dataset.params)
            with closing(loading):
                while True:
                    asked.check()
                    try:
                        progress = next(loading)
                    except StopIteration as end:
                        return make_preview(end.value)
                    asked.report(progress.what, progress.done)

        self._ask(self._slow, "preview", work)

    def cancel_preview(self) -> None:
        self._numbers["preview"] = self._numbers.get("preview", 0) + 1  # what is already on its way is too late
        self._slow.cancel("preview")

    def describe(self, config: RunConfig) -> None:
        """The table of the network's layers."""

        def work(asked: _Asked) -> object:  # noqa: ARG001
            from engine.assembly import describe_network

            return describe_network(config)

        self._ask(self._slow, "description", work)

    def prepare_network(self, config: RunConfig) -> None:
        """Let the untrained network of `config` answer, unless a run goes on or its weights fit this set-up."""
        if self._run is not None:
            return
        if self._control.live is not None and self._config is not None and _same_network(self._config, config):
            self._slow.cancel("network")
            self._announce(self._control.live)
            return

        def work(asked: _Asked) -> object:  # noqa: ARG001
            from engine.live import untrained

            return untrained(config)

        self._ask(self._slow, "network", work)

    def predict(self, picture: np.ndarray) -> None:
        """Ask the network of this moment about a picture, uint8 (H, W) or (H, W, 3)."""
        live = self._answering

        def work(asked: _Asked) -> object:  # noqa: ARG001
            from engine.predict import to_sample

            network = live()
            if network is None or not network.info.is_image:
                raise Cancelled
            sample = to_sample(picture, network.info)
            if sample is None:
                raise Cancelled
            return sample, network.predict(sample)

        self._ask(self._quick, "prediction", work)

    def read_filters(self, layer: str) -> None:
        live = self._answering

        def work(asked: _Asked) -> object:  # noqa: ARG001
            network = live()
            if network is None or layer not in [known.name for known in network.layers]:
                raise Cancelled
            return network.filters(layer), network.initial_filters(layer)

        self._ask(self._quick, "filters", work)

    def pick_sample(self, dataset: Choice, *, number: int) -> None:
        """Test sample `number` modulo their count."""
        library = self._kept.library

        def work(asked: _Asked) -> object:
            from engine.datasets.preview import picture_of_test

            loading = library.load(dataset.name, dataset.params)
            with closing(loading):
                while True:
                    asked.check()
                    try:
                        next(loading)
                    except StopIteration as end:
                        return picture_of_test(end.value, number)

        self._ask(self._slow, "sample", work)

    def save_weights(self, path: Path, config: RunConfig) -> None:
        """Write the weights of this moment as safetensors."""
        live, of = self._answering, self._config or config

        def work(asked: _Asked) -> object:  # noqa: ARG001
            from engine.results import save_weights

            network = live()
            if network is None:
                return "There are no weights yet: press Start first."
            try:
                save_weights(path, network, of)
            except OSError as error:
                return f"{path.name} could not be written: {error.strerror or error}."
            return f"The weights were saved to {path.name}."

        self._ask(self._slow, "save", work)

    def save_setup(self, path: Path, config: RunConfig) -> None:
        """Write a set-up as JSON."""

        def work(asked: _Asked) -> object:  # noqa: ARG001
            try:
                write_atomically(path, config.to_json().encode())
            except OSError as error:
                return f"{path.name} could not be written: {error.strerror or error}."
            return f"The set-up was saved to {path.name}."

        self._ask(self._slow, "setup", work)

    def save_lesson(self, path: Path, config: RunConfig, *, title: str, text: str, tools: Sequence[str]) -> None:
        """Write a lesson of one stage that runs `config`."""

        def work(asked: _Asked) -> object:  # noqa: ARG001
            lesson = Lesson(
                name="saved",
                title=title,
                stages=(stage_of(config),),
                tools={tool: {} for tool in tools},
                text=text,
            )
            try:
                save_lesson(path, lesson)
            except OSError as error:
                return f"{path.name} could not be written: {error.strerror or error}."
            return f"The lesson was saved to {path.name}."

        self._ask(self._slow, "setup", work)

    def save_settings(self, settings: Settings) -> None:
        """Write the window's settings; only a failure is told."""

        def work(asked: _Asked) -> object:  # noqa: ARG001
            problem = save(settings)
            if problem is None:
                raise Cancelled
            return problem

        self._ask(self._slow, "settings", work)

    # Tools.

    def compute(
        self, kind: str, job: Callable[[], T], done: Callable[[T], None], failed: Callable[[str], None] | None = None
    ) -> None:
        """See `Workbench.compute`."""
        ready = self._kept.ready

        def work(asked: _Asked) -> object:
            ready.wait()
            asked.check()
            try:
                return partial(done, job())
            except InputError as error:
                if failed is None:
                    raise
                return partial(failed, error.sentence)

        self._ask(self._tools, _TOOL + kind, work)

    # The history.

    def history(
        self, kind: str, job: Callable[[RunStore], T], done: Callable[[T], None], failed: Callable[[str], None]
    ) -> None:
        """Call `job` with the history on another thread, then `done` with its answer, or `failed` with a sentence.

        Of one kind only the newest counts: what must not be replaced needs a kind of its own. It does not wait for
        torch, which the job must not use. What waits when the program ends is done first.
        """
        kept = self._kept

        def work(asked: _Asked) -> object:  # noqa: ARG001
            try:
                return partial(done, job(kept.store()))
            except InputError as error:
                return partial(failed, error.sentence)

        self._ask(self._past, _TOOL + kind, work)

    def take(
        self,
        job: Callable[[RunStore, Callable[[str, float | None], None]], T],
        done: Callable[[T], None],
        failed: Callable[[str], None],
        progressed: Callable[[str, float | None], None],
    ) -> None:
        """Let a run be taken away or in: call `job` with the history on a thread of its own, which may take long.

        Args:
            job: told by its second argument, which it has to call every now and then, to end where nobody waits for it
                any more; what it is called with goes to `progressed`: what is done, and its share or None.
            done, failed: get its answer, or a sentence. Neither is called after `cancel_taking`.
        """
        kept = self._kept
        self._taking = progressed

        def work(asked: _Asked) -> object:
            kept.ready.wait()

            def report(what: str, share: float | None) -> None:
                asked.check()
                asked.report(what, share)

            asked.check()
            try:
                return partial(done, job(kept.store(), report))
            except InputError as error:
                return partial(failed, error.sentence)
            except Cancelled:
                raise
            except Exception as error:  # whatever it is, somebody waits for it
                logging.getLogger(__name__).exception("a run could not be taken away or in")
                return partial(failed, f"Something went wrong: {error}")

        self._ask(self._taker, _TAKE, work)

    def cancel_taking(self) -> None:
        """Nobody waits for the last `take` any more."""
        self._taking = None
        self._delivered[_TAKE] = self._numbers.get(_TAKE, 0)  # what is on its way is too late
        self._taker.cancel(_TAKE)

    def store(self) -> RunStore:
        """The history; to be called within a job of `compute`. Raises StoreError."""
        return self._kept.store()

    def show_run(
        self, config: RunConfig, live: LiveNetwork | None, *, run: int | None = None, step: int | None = None
    ) -> None:
        """Let the network of a run of the history answer; None: the untrained one of `config`. Not during another run.

        Args:
            run: its number, to go back along it: what was kept is read, then `reopened` says so; None: nobody will.
            step: after which the weights of `live` were.
        """
        if self._run is None:
            self._forget_past()
            self._newest = step
            speed = self._control.speed
            self._control = RunControl()
            self._control.set_speed(speed)
            self._take_weights(config, live)
            if live is None:
                self.prepare_network(config)
            if run is not None:
                self._reopen(config, run, live)

    def _take_weights(self, config: RunConfig, live: LiveNetwork | None) -> None:
        """Let these be the newest of the run that is shown."""
        self._control.live = live
        self._config = config if live is not None else None
        self._slow.cancel("network")
        self._numbers["network"] = self._numbers.get("network", 0) + 1  # what is on its way is too late
        self._announce(live)

    def _reopen(self, config: RunConfig, run: int, live: LiveNetwork | None) -> None:
        self._past_problem = _READING
        outlives = self._kept

        def work(asked: _Asked) -> object:
            from engine.rewind.history import reopen
            from engine.rewind.moments import moment_at

            outlives.ready.wait()
            asked.check()
            past = reopen(outlives.store(), run, library=outlives.library, live=live)
            kept = past.snapshots if live is None else []
            return config, past, moment_at(past, kept[-1].checkpoint.step) if kept else None

        self._ask(self._keeper, "reopen", work)

    def _on_reopened(self, answer: tuple[RunConfig, Reopened, Moment | None]) -> None:
        config, past, newest = answer
        self._snapshots, self._past_problem = past, ""
        if past.note:
            self.problem.emit(past.note)
        if newest is not None:
            self._newest = newest.step
            self._take_weights(config, newest.live)
        self.reopened.emit(None if newest is None else newest.step)

    def _keep_snapshots(self, folder: Path, snapshots: Snapshots) -> None:
        """Write what is kept of a run so far to its folder, though the program may end; from any thread."""

        def work(asked: _Asked) -> object:  # noqa: ARG001
            from engine.rewind.kept_file import make_room, write_snapshots

            try:
                if write_snapshots(folder, snapshots.snapshots):
                    make_room(folder.parent, newest=folder)
            except (OSError, TypeError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                if (folder, reason) not in self._unkept:
                    self._unkept.add((folder, reason))
                    self.problem.emit(f"{_UNKEPT}: {reason}. All else of the run is kept.")
            return None

        self._keeper.ask(_Question(f"keep {folder.name}", 0, work))

    # Back along the run.

    @property
    def snapshots(self) -> Snapshots | None:
        """Of the last run, the one under way included, or of the run of the history that is shown, once it is read."""
        return self._snapshots

    @property
    def past_problem(self) -> str:
        """Why there are no snapshots of the run of the history that is shown, a sentence; else empty."""
        return self._past_problem

    @property
    def newest_step(self) -> int | None:
        """After which step the newest weights of a run of the history were; None where that was its last."""
        return self._newest

    @property
    def rewound_to(self) -> int | None:
        """The step whose network answers, None where it is the latest."""
        return None if self._moment is None else self._moment.step

    def rewind(self, step: int | None, *, exact: bool = True) -> None:
        """Let the network of an earlier step answer; None: the latest again.

        Args:
            exact: train forward to a step that is not kept; else the nearest one before is taken. Not while the run
                goes on.
        """
        snapshots = self._snapshots
        if step is None or snapshots is None:
            self._leave_past()
            return
        number = self._numbers["rewind"] = self._numbers.get("rewind", 0) + 1  # what is being trained is too late

        def work(asked: _Asked) -> object:
            from engine.rewind.moments import moment_at

            def wanted() -> bool:
                return not asked.cancelled and self._numbers["rewind"] == number

            report = _Telling(asked.report, step)
            moment = moment_at(snapshots, step, exact=exact, wanted=wanted, report=report, say=asked.report)
            if moment is None:
                raise Cancelled
            return snapshots, moment

        self._rewinder.ask(_Question("rewind", number, work))

    def branch(
        self, config: RunConfig, step: int, done: Callable[[Provenance], None], failed: Callable[[InputError], None]
    ) -> None:
        """Make ready a run of `config` that goes on from a step of the last run: `done` gets what `start` needs."""
        snapshots = self._snapshots
        if self._run is not None or snapshots is None:
            return

        def work(asked: _Asked) -> object:
            from engine.rewind.branch import branch
            from engine.rewind.moments import checkpoint_at

            def wanted() -> bool:
                return not asked.cancelled and self._run is None and self._snapshots is snapshots

            try:
                checkpoint = checkpoint_at(snapshots, step, wanted=wanted)
                if checkpoint is None:
                    raise Cancelled
                made = branch(checkpoint, config, parent=snapshots.run)
            except InputError as error:
                return partial(failed, error)
            parent = Branch(int(snapshots.run), step) if snapshots.run else None
            return partial(done, Provenance(parent=parent, checkpoint=made))

        self._ask(self._rewinder, _TOOL + "branch", work)

    def save_film(
        self, path: Path, layer: str, steps: Sequence[int], draw: Callable[[list[FilterImages], FilterImages], bytes]
    ) -> None:
        """Write what `draw` makes, on another thread, of a layer's filters at kept steps and of those at the start."""
        snapshots = self._snapshots

        def work(asked: _Asked) -> object:
            from engine.rewind.moments import moment_at

            images: list[FilterImages] = []
            initial = None
            for step in steps if snapshots is not None else ():
                asked.check()
                assert snapshots is not None
                moment = moment_at(snapshots, step, exact=False)
                if moment is None or layer not in [known.name for known in moment.live.layers]:
                    raise Cancelled
                images.append(moment.live.filters(layer))
                initial = moment.live.initial_filters(layer)
            if initial is None:
                raise Cancelled
            try:
                write_atomically(path, draw(images, initial))
            except OSError as error:
                return f"{path.name} could not be written: {error.strerror or error}."
            except InputError as error:
                return error.sentence
            return f"The film was saved to {path.name}."

        self._ask(self._slow, "film", work)

    def _forget_past(self) -> None:
        """Another run is about to begin, or to be shown."""
        self._snapshots = self._newest = None
        self._past_problem = ""
        self._numbers["reopen"] = self._numbers.get("reopen", 0) + 1  # what is on its way is too late
        self._forget_moment()

    def _forget_moment(self) -> None:
        # What is on its way is too late.
        self._numbers["rewind"] = self._delivered["rewind"] = self._numbers.get("rewind", 0) + 1
        self._moment = None
        self.rewound.emit(None)

    def _leave_past(self) -> None:
        was = self._moment
        self._forget_moment()
        live = self._answering()
        if was is not None and live is not None:
            self.network_changed.emit(live)

    def _show_moment(self, answer: tuple[Snapshots, Moment]) -> None:
        snapshots, moment = answer
        if snapshots is self._snapshots:
            self._moment = moment
            self.rewound.emit(moment.step)
            self.network_changed.emit(moment.live)

    # A tool's look into the next step.

    def examine(self, config: RunConfig, done: Callable[[Specimen], None], failed: Callable[[str], None]) -> None:
        """See `Workbench.examine`; without a run the network is that of `config`."""
        if self._run is not None:
            asked = self._control.examine()
            asked.add_done_callback(lambda found: self._examined.emit(partial(_deliver, found, done, failed)))
            return
        library = self._kept.library

        def job() -> Specimen:
            from engine.inspection.specimen import specimen_of

            if self._run is not None:
                raise InputError("microscope", "a run has begun meanwhile", "take its next batch instead")
            return specimen_of(config, library)

        self.compute("examine", job, done, failed)

    def live(self) -> LiveNetwork | None:
        """The network that answers now; from any thread."""
        return self._answering()

    def dataset(self, choice: Choice) -> Dataset:
        """A dataset, loaded where it must be. To be called within a job of `compute`. Raises InputError."""
        with closing(self._kept.library.load(choice.name, choice.params)) as loading:
            while True:
                if self._shutting_down:
                    raise Cancelled
                try:
                    next(loading)
                except StopIteration as end:
                    found: Dataset = end.value
                    return found

    # The end.

    def shut_down_threads(self) -> None:
        """Stop the run and all work; `shut_down` follows when every thread has ended."""
        self._shutting_down = True
        self._stop_run()
        self._stop_race()
        self._kept.ready.set()
        self._end_answerers()
        self._check_shut_down()

    def _end_answerers(self) -> None:
        for answerer in self._answerers:
            if answerer is not self._keeper or self._run is None:  # the run's last wish comes with its end
                answerer.end()

    @property
    def busy(self) -> bool:
        """Whether any thread is left."""
        return bool(self._threads)

    def _stop_run(self) -> None:
        self._control.stop()

    def _stop_race(self) -> None:
        if self._race is not None:
            self._race.race.stop()

    def _wait(self) -> None:
        """The program ends: no thread may be left, whatever became of the window."""
        atexit.unregister(self._wait)
        self._control.stop()
        self._stop_race()
        self._kept.ready.set()
        self._end_answerers()
        if self._run is not None:
            self._run.wait()
            self._keeper.end()
        for thread in tuple(self._threads):
            thread.wait()
        self._kept.close()

    # Answers.

    def _answering(self) -> LiveNetwork | None:
        """The run's network from when it is built, until another one is set up after the run."""
        moment = self._moment  # read once: the window's thread may change it meanwhile
        return (moment.live if moment is not None else None) or self._untrained or self._control.live

    @property
    def trained(self) -> bool:
        """Whether the network that answers is that of a run."""
        return self._moment is not None or (self._untrained is None and self._control.live is not None)

    def _announce(self, live: LiveNetwork | None) -> None:
        """The run's network takes over from the untrained one."""
        if live is not None and live is not self._announced:
            self._untrained = None
            self._announced = live
            self.network_changed.emit(live)

    def _ask(self, answerer: _Answerer, kind: str, work: Callable[[_Asked], object]) -> None:
        number = self._numbers.get(kind, 0) + 1
        self._numbers[kind] = number
        answerer.ask(_Question(kind, number, work))

    def _on_answered(self, kind: str, number: int, answer: Any) -> None:
        if kind.startswith(_TOOL):
            # An answer counts unless a newer one came first: what is asked ten times a second must not starve.
            if number > self._delivered.get(kind, 0) and not self._shutting_down:
                self._delivered[kind] = number
                answer()
            return
        if kind == "rewind":  # one hurries through many: the last is not the only one that counts
            if number > self._delivered.get(kind, 0):
                self._delivered[kind] = number
                self._show_moment(answer)
            return
        if number != self._numbers.get(kind):
            return
        match kind:
            case "torch":
                self._kept.ready.wait()  # the other thread answers within microseconds
                self.torch_ready.emit()
            case "preview":
                self.preview_ready.emit(answer)
            case "description":
                self.described.emit(answer)
            case "network":
                if self._run is None:
                    self._forget_moment()
                    self._untrained = self._announced = answer
                    self.network_changed.emit(answer)
            case "reopen":
                self._on_reopened(answer)
            case "prediction":
                self.predicted.emit(answer)
            case "filters":
                self.filters_read.emit(answer)
            case "sample":
                self.sample_picked.emit(answer)
            case "save" | "setup" | "settings" | "film":
                self.saved.emit(answer)

    def _on_failed(self, kind: str, number: int, error: Exception) -> None:
        if number != self._numbers.get(kind):
            return
        known = error if isinstance(error, InputError) else InputError(kind, str(error))
        match kind:
            case "preview":
                self.preview_failed.emit(known)
            case "description":
                self.description_failed.emit(known)
            case "reopen" if isinstance(error, InputError):
                self._past_problem = error.sentence
                self.reopened.emit(None)
            case "rewind" if isinstance(error, InputError):
                self.rewound.emit(self.rewound_to)
                self.problem.emit(error.sentence)
            case _:
                logging.getLogger(__name__).error("%s failed", kind, exc_info=error)
                self.problem.emit(f"Something went wrong ({kind}): {error}")

    def _on_progressed(self, kind: str, number: int, what: str, done: object) -> None:
        if kind == "preview" and number == self._numbers.get(kind):
            self.preview_progressed.emit(what, done)
        elif kind == "rewind" and number == self._numbers.get(kind):
            self.rewind_progressed.emit(what, done)
        elif kind == _TAKE and number == self._numbers.get(kind) and self._taking is not None:
            self._taking(what, cast("float | None", done))

    def _on_examined(self, deliver: Callable[[], None]) -> None:
        if not self._shutting_down:
            deliver()

    def _on_run_finished(self) -> None:
        run, self._run = self._run, None
        self._control.end_examinations(InputError("microscope", "the run ended before its next step was examined"))
        self._timer.stop()
        self._announce(self._control.live)
        if run is not None:
            self._threads.remove(run)
            run.deleteLater()
        if self._shutting_down:
            self._keeper.end()
        self.run_ended.emit()
        self._check_shut_down()

    def _on_thread_finished(self) -> None:
        for answerer in self._answerers:
            if answerer in self._threads and answerer.isFinished():
                self._threads.remove(answerer)
                answerer.deleteLater()
        self._check_shut_down()

    def _check_shut_down(self) -> None:
        if self._shutting_down and not self._threads:
            atexit.unregister(self._wait)
            self._kept.close()
            self.shut_down.emit()


class _Telling:
    """Says how far it is to `last`, told each step on the way; seldom enough for a window.

    Args:
        report: takes what is done and its share in 0 … 1.
    """

    def __init__(self, report: Callable[[str, float | None], None], last: int) -> None:
        self._report = report
        self._last = last
        self._first: int | None = None
        self._told = 0.0

    def __call__(self, step: int) -> None:
        if self._first is None:
            self._first = step - 1
        now = time.monotonic()
        if now - self._told >= TELL_EVERY:
            self._told = now
            share = (step - self._first) / max(self._last - self._first, 1)
            self._report(TRAINING_AGAIN, share)


def _deliver(found: Future[Specimen], done: Callable[[Specimen], None], failed: Callable[[str], None]) -> None:
    """Tell what the run answered."""
    error = found.exception(timeout=0)
    if error is None:
        done(found.result(timeout=0))
    elif isinstance(error, InputError):
        failed(error.sentence)
    else:
        logging.getLogger(__name__).error("the next step could not be copied", exc_info=error)
        failed(f"The next step could not be copied: {error}")


def _same_network(one: RunConfig, other: RunConfig) -> bool:
    return (one.dataset.name, one.network, one.loss) == (other.dataset.name, other.network, other.loss)
