"""What trains: a run, or a race."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, Qt, QThread, QTimer, Signal

from engine.channel import Channel
from engine.control import RunControl
from engine.errors import InputError
from engine.rewind.snapshots import Snapshots
from gui.bridge.kept import Kept
from gui.bridge.news import News
from gui.bridge.race_thread import RaceThread
from gui.bridge.run_thread import Provenance, RunThread
from gui.refresh import MOST

if TYPE_CHECKING:
    from engine.config import RunConfig
    from engine.race_run import RaceRun

FRAME = round(1000 * MOST)  # ms between two looks into the channel


class Runs(QObject):
    """The threads of the run under way and of the race under way; to be used from the window's thread.

    Attributes:
        control: of the last run; of none yet before the first and where a run of the history is shown.
        channel: what the run said.

    Signals:
        looked: time to look into the channel.
        run_done, race_done: its thread is done.
    """

    looked = Signal()
    run_done = Signal()
    race_done = Signal()

    def __init__(self, news: News, *, kept: Kept) -> None:
        super().__init__(news)
        self._news = news
        self._kept = kept
        self.channel = Channel()
        self.control = RunControl()
        self._run: RunThread | None = None
        self._race: RaceThread | None = None
        self._threads: list[QThread] = []
        self._timer = QTimer(self, interval=FRAME, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.looked)

    @property
    def running(self) -> bool:
        """Whether a run is under way, paused ones included."""
        return self._run is not None

    @property
    def preparing(self) -> bool:
        """Whether the run under way does not train yet."""
        return self.running and self.control.live is None

    @property
    def racing(self) -> bool:
        """Whether a race is under way whose runs go on at once."""
        return self._race is not None

    @property
    def busy(self) -> bool:
        """Whether any thread is left."""
        return bool(self._threads)

    def renew_control(self) -> None:
        """Another run has nothing of the last one's but its speed."""
        speed = self.control.speed
        self.control = RunControl()
        self.control.set_speed(speed)

    def start(
        self,
        config: RunConfig,
        *,
        steps: int | None,
        checkpoints: Path | None,
        provenance: Provenance,
        snapshots: Snapshots,
        keep: Callable[[Path, Snapshots], None],
    ) -> None:
        """Begin a run, where none is under way, once torch is imported. See `Bridge.start`.

        Args:
            snapshots: filled by the run.
            keep: has them written to the run's folder; called on the run's thread.
        """
        for _ in range(steps or 0):
            self.control.step_once()
        self.channel.drain()
        self._run = RunThread(
            _application(),
            config=config,
            control=self.control,
            channel=self.channel,
            kept=self._kept,
            checkpoints=checkpoints,
            provenance=provenance,
            snapshots=snapshots,
            keep=keep,
        )
        self._run.recorded.connect(self._news.recorded)
        self._run.unrecorded.connect(self._news.problem)
        self._run.finished.connect(self._on_run_finished)
        self._threads.append(self._run)
        self._run.start()
        self._timer.start()

    def start_race(self, race: RaceRun) -> None:
        """Begin a race, where none is under way."""
        self._race = RaceThread(_application(), race=race, kept=self._kept)
        self._race.finished.connect(self._on_race_finished)
        self._threads.append(self._race)
        self._race.start()

    def stop(self) -> None:
        """Let the run and the race end soon."""
        self.control.stop()
        if self._race is not None:
            self._race.race.stop()

    def wait_for_run(self) -> None:
        """Until its thread has ended, if there is one."""
        if self._run is not None:
            self._run.wait()

    def wait(self) -> None:
        """Until every thread has ended."""
        for thread in self._threads:
            thread.wait()

    def _on_run_finished(self) -> None:
        run, self._run = self._run, None
        self.control.end_examinations(InputError("microscope", "the run ended before its next step was examined"))
        self._timer.stop()
        if run is not None:
            self._threads.remove(run)
            run.deleteLater()
        self.run_done.emit()

    def _on_race_finished(self) -> None:
        race, self._race = self._race, None
        if race is not None:
            self._threads.remove(race)
            race.deleteLater()
        self.race_done.emit()


def _application() -> QCoreApplication:
    """The owner of threads: should the window be destroyed first, they still end in good order."""
    application = QCoreApplication.instance()
    assert application is not None, "threads need a QCoreApplication"
    return application
