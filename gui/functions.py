"""Sigmoid and logarithm, what a clamp makes of the logarithm, and what follows from it in words.

All in double precision and for every float: infinite where the function is, NaN where it has no value.
"""

from __future__ import annotations

import math

import numpy as np

from gui.spins import scientific

SMALLEST_CLAMP, LARGEST_CLAMP = 1e-12, 0.1


def sigmoid(x: float) -> float:
    """1 / (1 + e⁻ˣ), without overflow."""
    if x >= 0:
        return 1 / (1 + math.exp(-x))
    power = math.exp(x)
    return power / (1 + power)


def sigmoid_slope(x: float) -> float:
    """σ(x) · (1 − σ(x)), also where 1 − σ(x) would be rounded to 0."""
    return sigmoid(x) * sigmoid(-x)


def single_sigmoid(x: float) -> float:
    """1 / (1 + e⁻ˣ) in the 32-bit numbers that networks compute with."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.float32(1) / (np.float32(1) + np.exp(-np.float32(x))))


def log(x: float) -> float:
    """The natural logarithm: −∞ at 0, NaN below."""
    if x > 0:
        return math.log(x)
    return -math.inf if x == 0 else math.nan


def log_slope(x: float) -> float:
    """1 / x: ∞ at 0, NaN below, where there is no logarithm."""
    if x > 0:
        return 1 / x
    return math.inf if x == 0 else math.nan


def clamped_log(x: float, clamp: float) -> float:
    """log(max(x, clamp)), for negative numbers too; NaN stays."""
    return x if math.isnan(x) else math.log(max(x, clamp))


def clamped_log_slope(x: float, clamp: float) -> float:
    """1 / x above the clamp, 0 below it and, of the two that would do there, at the clamp itself. NaN stays."""
    if x > clamp:
        return 1 / x
    return x if math.isnan(x) else 0.0


def figure(value: float) -> str:
    """Six decimals, or six digits and an exponent where those would not do: 0.880797, 4.24835e−18, −inf."""
    if not math.isfinite(value):
        return str(value).replace("-", "−")
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:.6f}".replace("-", "−")
    mantissa, exponent = f"{value:.5e}".split("e")
    return f"{mantissa}e{int(exponent)}".replace("-", "−")


def _short(value: float) -> str:
    """Four digits, for sentences."""
    if not math.isfinite(value):
        return str(value).replace("-", "−")
    return scientific(float(f"{value:.4g}")).replace("-", "−")


def _typed(value: float) -> str:
    """As the person gave it."""
    return scientific(value).replace("-", "−")


LONGEST_SIGMOID = (-123.456,)  # places of which there is most to say
LONGEST_LOG = (-1.234567e-16, 0.0, 1.234567e-16)


def sigmoid_words(x: float) -> str:
    """What the value means for a network whose output is `x`."""
    p, rest = sigmoid(x), sigmoid(-x)
    words = (
        f"A network whose output is {_typed(x)} gives class 1 the probability {_short(p)} and class 0 the rest, "
        f"{_short(rest)}."
    )
    single = single_sigmoid(x)
    if single == 1.0:
        return (
            f"{words} In the 32-bit numbers of a network the sigmoid is exactly 1 here: 1 − 1 is 0, and log(0) is −inf "
            "where class 0 is right. The clamp is made for that."
        )
    if single == 0.0:
        return (
            f"{words} In the 32-bit numbers of a network the sigmoid is exactly 0 here, and log(0) is −inf where "
            "class 1 is right. The clamp is made for that."
        )
    return words


def log_words(x: float, clamp: float) -> str:
    """What the clamp does to the loss −log(x) of a sample whose right class was given the probability `x`."""
    at, held = _typed(clamp), _short(-math.log(clamp))
    flat = "The clamped log is flat there: its derivative is 0, and the sample moves no weight."
    if x < 0:
        return (
            f"{_typed(x)} is below 0, where no logarithm exists: the result is nan, not a number. The clamp takes {at} "
            f"in its place, whose log is {_short(math.log(clamp))}, and the derivative is 0."
        )
    if x == 0:
        return (
            "Confident and wrong: the right class was given the probability 0. log(0) is −inf, so the loss −log(0) is "
            f"inf and its gradient infinite, and after one such step the weights are nan. Clamped at {at} the loss is "
            f"{held}. {flat}"
        )
    loss = _short(-log(x))
    if x <= clamp:
        return (
            f"Confident and wrong: the right class was given the probability {_typed(x)}. The loss −log({_typed(x)}) "
            f"is {loss}; clamped at {at} it is {held}. {flat}"
        )
    if x <= 1:
        return (
            f"Where the right class was given the probability {_typed(x)}, the loss −log({_typed(x)}) is {loss}, with "
            f"and without the clamp at {at}. The derivative of the log is 1/x = {_short(1 / x)}: the smaller the "
            "probability, the larger the correction."
        )
    return f"{_typed(x)} is above 1 and so no probability. Its log is positive, and the clamp at {at} does nothing."
