"""Numbers as the window writes them: units, thin thousands separators, widths that do not jitter. No Qt."""

from __future__ import annotations

import math

THIN = "\u2009"  # thin space


def count(number: int) -> str:
    """60 000 with a thin space between thousands."""
    return f"{number:,}".replace(",", THIN)


def duration(seconds: float) -> str:
    """m:ss, or h:mm:ss from an hour on."""
    if not math.isfinite(seconds):
        return "–:––"
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def percent(share: float, digits: int = 1) -> str:
    """A share in 0 … 1 as a percentage with a thin space before the sign."""
    return f"{share * 100:.{digits}f}{THIN}%"


def loss(value: float) -> str:
    """Four significant digits; scientific where that is shorter."""
    if not math.isfinite(value):
        return str(value)
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.3e}"
