"""Where and when Python looks for garbage: in the window's thread, between two events."""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimerEvent

INTERVAL = 250  # ms
YOUNG, MIDDLE, OLD = 700, 10, 10  # what Python's own collector waits for: objects, then collections of the one before
GROWTH = 1.25  # of the old ones, since all were looked through, from which that is done again: Python's own measure


class Collector(QObject):
    """Collects garbage for the whole process in place of Python's automatic collector, which it turns off for good.

    The automatic one runs wherever something is allocated: on a run's thread, or in a method that Qt calls in the midst
    of its own work. The widgets it finds are then destroyed at once or, found on another thread, the next time that the
    window's thread runs Python. A change of the style sheet has a list of all widgets, calls such methods, and goes on
    to widgets that are no more. A timer's event comes only when Qt is in the midst of nothing.

    While `gc.disable` is in force, nothing is collected.

    Args:
        parent: lives in the window's thread.
        interval: ms between two looks at whether there is enough to collect.
    """

    def __init__(self, parent: QObject, interval: int = INTERVAL) -> None:
        super().__init__(parent)
        self._kept = 0  # objects that outlived the last collection of all
        gc.set_threshold(0)  # not gc.disable: that says, while torch is imported, that nothing be collected at all
        self.startTimer(interval)

    def timerEvent(self, _event: QTimerEvent) -> None:
        young, middle, old = gc.get_count()
        if not gc.isenabled() or young <= YOUNG:
            return
        if middle <= MIDDLE:
            gc.collect(0)
        elif old <= OLD or _long_lived() < self._kept * GROWTH:
            gc.collect(1)
        else:
            gc.collect()
            self._kept = _long_lived()


def _long_lived() -> int:
    return len(gc.get_objects(generation=2))
