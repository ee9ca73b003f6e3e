"""Lineage: shows the runs that the one on screen goes on from behind its curves."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject

from gui.ancestors import Ancestor, read_ancestors
from gui.bridge import Bridge
from gui.run_state import RunState
from gui.views.curves import CurvesView


class Lineage(QObject):
    """Reads the ancestors of a branch on the history's thread, once a run."""

    def __init__(self, parent: QObject, *, bridge: Bridge, run_state: RunState, curves: CurvesView) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._state = run_state
        self._curves = curves
        self._of: tuple[object, ...] = ()

    def refresh(self) -> None:
        """Another run may be on screen. Costs nothing where there is not."""
        branch = self._state.branch
        of = (self._state.generation, branch)
        if of == self._of:
            return
        self._of = of
        self._curves.set_ancestors(())
        if branch is not None:
            self._bridge.history(
                "ancestors",
                lambda store: read_ancestors(store, branch),
                partial(self._show, of),
                lambda _: None,  # the curve's mark says that much
            )

    def _show(self, of: tuple[object, ...], ancestors: tuple[Ancestor, ...]) -> None:
        if of == self._of:
            self._curves.set_ancestors(ancestors)
