"""`python -m gui` and the command `learnscope`."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

NO_SCREEN = (
    "Learnscope needs a screen and there is none here. Train in the terminal with `python -m engine train`, "
    "or set QT_QPA_PLATFORM=vnc and open this computer's port 5900 in a VNC viewer."
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Open the window; returns the exit status."""
    options = _parser().parse_args(arguments)
    if sys.platform == "linux" and not any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        sys.stderr.write(NO_SCREEN + "\n")
        return 2
    gc.disable()  # until torch is imported: what start-up makes stays, there is no garbage to look for
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    application = QApplication(sys.argv[:1])
    from gui.app import build_window

    window = build_window(options.theme)
    if options.size is not None:
        window.resize(*options.size)
    window.show()
    if options.lesson is not None:
        from engine.errors import InputError

        try:
            window.open_lesson(options.lesson, stage=options.stage)
        except InputError as error:
            sys.stderr.write(f"--lesson: {error}\n")
            window.close()
            return 2
    signal.signal(signal.SIGINT, lambda *_: window.close())
    waking = QTimer(interval=200)  # Python sees Ctrl-C only when it runs
    waking.timeout.connect(lambda: None)
    waking.start()
    if options.screenshot is not None:
        from gui.screenshot import take_screenshot

        take_screenshot(window, options.screenshot, seconds=options.seconds)
    status: int = application.exec()
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="learnscope", description="Watch a neural network learn.")
    parser.add_argument("--screenshot", type=Path, metavar="FILE.png", help="press Start, save a picture, exit")
    parser.add_argument("--lesson", metavar="NAME", help="open a lesson, by name or from a file")
    parser.add_argument("--stage", type=int, default=1, metavar="N", help="of the lesson (default 1)")
    parser.add_argument("--seconds", type=float, default=5.0, help="before the picture (default 5)")
    parser.add_argument("--theme", choices=("light", "dark"), help="instead of the one chosen last")
    parser.add_argument("--size", type=_size, default=None, metavar="WxH", help="of the window, such as 1280x800")
    return parser


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    try:
        size = int(width), int(height)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not WIDTHxHEIGHT, such as 1280x800") from None
    if min(size) < 200 or max(size) > 16384:
        raise argparse.ArgumentTypeError(f"{text!r} is out of range: 200 to 16384 each")
    return size


if __name__ == "__main__":
    sys.exit(main())
