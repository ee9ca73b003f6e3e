"""What is said of a network that learns points: why there is no picture, and formulas with today's numbers. No Qt."""

from __future__ import annotations

import numpy as np

from engine.datasets.data import DatasetInfo
from engine.inspection.surface import Floats

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def refusal(info: DatasetInfo) -> str:
    """Why a dataset has no picture of points, known before it is loaded; empty where it may have one."""
    if len(info.shape) != 1:
        return (
            f"This picture needs a dataset of points; {info.label} has images. "
            "Choose Fifteen points, Exam scores or Circles as the dataset."
        )
    features = info.shape[0]
    if info.classes and features != 2:
        return (
            f"Classes can be drawn in the plane where a point has two features; {info.label} has {_features(features)}."
        )
    if not info.classes and info.targets != 1:
        return f"A curve can be drawn for one target a point; {info.label} has {info.targets}."
    return ""


def unlike_powers(info: DatasetInfo) -> str:
    """Why a regression with several unrelated features has no picture."""
    return (
        "A fitted curve can be drawn over one feature, or over x, x², x³ …; "
        f"{info.label} has {_features(info.shape[0])} that are not powers of the first."
    )


def _features(number: int) -> str:
    return "one feature" if number == 1 else f"{number} features"


def formula(coefficients: Floats, *, decimals: int) -> str:
    """y = 0.90 + 0.49 x + 3.00 x² + 2.40 x³, of coefficients from that of x⁰ on."""
    names = ["", "x", *(f"x{str(power).translate(SUPERSCRIPTS)}" for power in range(2, len(coefficients)))]
    return f"y = {_sum(coefficients, names, decimals=decimals)}"


def cut_formula(cut: Floats, *, decimals: int) -> str:
    """x₂ = 126.59 − 1.07 x₁, of the line c + a₁x₁ + a₂x₂ = 0; empty where that is no line."""
    c, a, b = cut
    if b == 0:
        return f"x₁ = {_sum(np.array([-c / a]), [''], decimals=decimals)}" if a else ""
    return f"x₂ = {_sum(np.array([-c / b, -a / b]), ['', 'x₁'], decimals=decimals)}"


def _sum(coefficients: Floats, names: list[str], *, decimals: int) -> str:
    text = ""
    for value, name in zip(coefficients.tolist(), names, strict=True):
        digits = _digits(abs(value), decimals)
        minus = value < 0 and float(digits) != 0 if np.isfinite(value) else value < 0
        sign = (" − " if minus else " + ") if text else ("−" if minus else "")
        text += f"{sign}{digits}{' ' if name else ''}{name}"
    return text


def _digits(size: float, decimals: int) -> str:
    if not np.isfinite(size):
        return "∞" if np.isinf(size) else "NaN"
    return f"{size:.{decimals}f}" if size < 1e5 else f"{size:.3e}"
