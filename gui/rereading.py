"""When a panel asks anew about a network: at once about another one or other inputs, seldom while it only trains."""

from __future__ import annotations

from PySide6.QtCore import QElapsedTimer

Moment = tuple[int, int] | None  # the run's generation and step, None where its weights do not count


class Rereading:
    """Remembers what was asked about last, and at which moment of training.

    Args:
        every: ms between two answers of a network that is being trained.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self._about: object = None
        self._moment: Moment = None
        self._since = QElapsedTimer()

    def is_due(self, about: object, moment: Moment, *, running: bool) -> bool:
        """Whether to ask `about` (compared by ==, never None) at `moment`; then it counts as asked."""
        if about == self._about:
            too_soon = running and self._since.isValid() and self._since.elapsed() < self._every
            if moment == self._moment or too_soon:
                return False
        self._about, self._moment = about, moment
        return True

    def begin(self) -> None:
        """A question is on its way: the next one about the same waits."""
        self._since.start()

    def forget(self) -> None:
        """Whatever is asked next is due."""
        self._about = None
