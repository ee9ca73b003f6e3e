"""All that the window hears from other threads."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal


class News(QObject):
    """The signals of `Bridge`, which its parts emit; they arrive in the window's thread.

    Signals:
        frame: time to look at what a run said, by `take_events`.
        run_ended: the run's thread is done; all its events wait to be taken.
        recorded: the number that the run under way has in the history.
        race_ended: the race is over, all its processes have ended.
        torch_ready: torch is imported; questions are answered from now on.
        preview_progressed: what is being done, and its share (float or None); `preview_ready`: a DatasetPreview;
            `preview_failed`: an InputError.
        described: a LayerTable; `description_failed`: an InputError.
        network_changed: another network answers from now on, a LiveNetwork.
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
