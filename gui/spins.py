"""Spin boxes for numbers whose order of magnitude matters: they keep what was typed, exactly, or say why not."""

from __future__ import annotations

import math

from PySide6.QtCore import Signal
from PySide6.QtGui import QValidator
from PySide6.QtWidgets import QDoubleSpinBox, QSpinBox, QWidget

from engine.catalog import Param
from engine.errors import InputError

DECIMALS = 60  # enough that Qt's rounding to decimals never touches a double from 1e-30 on
SMALLEST = 1e-30  # stands for "above 0"
LARGEST = 1e30  # stands for "unlimited"
LARGEST_INT = 2**31 - 1  # Qt's whole-number spin box is 32 bits wide
TEXT_MARGIN = 6  # px; a stylesheet's padding does not reach the line edit inside a spin box
LOG_FLOOR = 1e-6  # stepping down from here reaches 0, where 0 is allowed


def scientific(value: float) -> str:
    """The shortest text that reads back as `value`: 0.001, 1e-4, 2.5e-8, 60000, 1e+16."""
    text = f"{value:.0f}" if value == int(value) and abs(value) < 1e6 else repr(value)
    if 0 < abs(value) < 1e-3 and "e" not in text:
        text = next(form for digits in range(17) if float(form := f"{value:.{digits}e}") == value)
    mantissa, e, exponent = text.partition("e")
    return f"{mantissa.removesuffix('.0')}e{int(exponent)}" if e else text


def parse_number(text: str) -> float:
    """The number in `text`; one comma is taken for a decimal point. Raises ValueError, also for infinities and NaN."""
    text = text.strip().replace("−", "-")
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def log_step(value: float, *, up: bool) -> float:
    """The next number of the series … 1, 2, 5, 10, 20, 50 … beyond a positive `value`."""
    exponent = math.floor(math.log10(value))
    ladder = [float(f"{digit}e{exponent + shift}") for shift in (-1, 0, 1) for digit in (1, 2, 5)]
    if up:
        return min(rung for rung in ladder if rung > value * (1 + 1e-9))
    return max(rung for rung in ladder if rung < value * (1 - 1e-9))


def linear_step(param: Param) -> float:
    """About a twentieth of the param's range, as 1, 2 or 5 times a power of ten; 0.1 where the range is open."""
    low = param.low if param.low is not None else param.above
    high = param.high if param.high is not None else param.below
    if low is None or high is None or high <= low:
        return 0.1
    return log_step((high - low) / 20 * (1 + 1e-6), up=False)


class ScientificSpin(QDoubleSpinBox):
    """A float `param`: shows and accepts 0.001 and 1e-3 alike, steps 1-2-5 where the param is logarithmic.

    What is typed counts on Enter or when the focus leaves, so that "0.01" on its way is never taken for 0.
    `refused` carries text that is not accepted, when the last good value comes back.
    """

    refused = Signal(str)

    def __init__(self, param: Param, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.param = param
        self.setDecimals(DECIMALS)
        self.setRange(_lowest(param), _highest(param))
        self.setKeyboardTracking(False)
        self.lineEdit().setTextMargins(TEXT_MARGIN, 0, 0, 0)
        self.setSuffix(f"\u2009{param.unit}" if param.unit else "")
        self._linear = linear_step(param)

    def validate(self, text: str, pos: int, /) -> tuple[QValidator.State, str, int]:
        return (_state(self.param, text.removesuffix(self.suffix())), text, pos)

    def fixup(self, text: str, /) -> str:
        self.refused.emit(text.removesuffix(self.suffix()))
        return text

    def valueFromText(self, text: str, /) -> float:
        return parse_number(text.removesuffix(self.suffix()))

    def textFromValue(self, value: float, /) -> str:
        return scientific(value)

    def stepBy(self, steps: int, /) -> None:
        self.interpretText()
        value = self.value()
        for _ in range(min(abs(steps), 100)):
            following = self._next(value, up=steps > 0)
            if following < self.minimum() or following > self.maximum():
                break
            value = following
        self.setValue(value)
        self.selectAll()

    def _next(self, value: float, *, up: bool) -> float:
        if not self.param.log:
            position = value / self._linear
            rung = math.floor(position + 1e-9) + 1 if up else math.ceil(position - 1e-9) - 1
            return round(rung * self._linear, 12)
        if value <= 0:
            return LOG_FLOOR if up else value
        if not up and value <= LOG_FLOOR and self.minimum() <= 0:
            return 0.0
        return log_step(value, up=up)


class WholeSpin(QSpinBox):
    """An int `param`: steps by powers of two where the param is logarithmic. Otherwise as ScientificSpin."""

    refused = Signal(str)

    def __init__(self, param: Param, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.param = param
        self.setRange(math.ceil(max(_lowest(param), -LARGEST_INT)), math.floor(min(_highest(param), LARGEST_INT)))
        self.setKeyboardTracking(False)
        self.lineEdit().setTextMargins(TEXT_MARGIN, 0, 0, 0)
        self.setSuffix(f"\u2009{param.unit}" if param.unit else "")

    def validate(self, text: str, pos: int, /) -> tuple[QValidator.State, str, int]:
        return (_state(self.param, text.removesuffix(self.suffix())), text, pos)

    def fixup(self, text: str, /) -> str:
        self.refused.emit(text.removesuffix(self.suffix()))
        return text

    def valueFromText(self, text: str, /) -> int:
        return int(parse_number(text.removesuffix(self.suffix())))

    def textFromValue(self, value: int, /) -> str:
        return str(value)

    def stepBy(self, steps: int, /) -> None:
        self.interpretText()
        value = self.value()
        if not self.param.log:
            value += steps
        elif steps > 0:
            value = 1 << (max(value, 0).bit_length() + steps - 1)
        else:
            value = 1 << max((max(value, 1) - 1).bit_length() + steps, 0)
        self.setValue(max(self.minimum(), min(self.maximum(), value)))
        self.selectAll()


def _state(param: Param, text: str) -> QValidator.State:
    """Intermediate rather than invalid: a person may type anything, and is told what would be accepted."""
    try:
        number = parse_number(text)
        param.check(number, part="")
    except (ValueError, InputError):
        return QValidator.State.Intermediate
    in_range = abs(number) <= LARGEST_INT if param.kind == "int" else abs(number) <= LARGEST
    return QValidator.State.Acceptable if in_range else QValidator.State.Intermediate


def _lowest(param: Param) -> float:
    if param.low is not None:
        return param.low
    if param.above is None:
        return -LARGEST
    if param.kind == "int":
        return math.floor(param.above) + 1
    return SMALLEST if param.above == 0 else math.nextafter(param.above, math.inf)


def _highest(param: Param) -> float:
    if param.high is not None:
        return param.high
    if param.below is None:
        return LARGEST
    if param.kind == "int":
        return math.ceil(param.below) - 1
    return math.nextafter(param.below, -math.inf)
