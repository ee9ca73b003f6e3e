"""Formulas as a lesson's text has them, between dollar signs in TeX's spelling, as rich text that Qt can show."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

_SYMBOLS: Mapping[str, str] = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "Delta": "Δ", "epsilon": "ε", "eta": "η", "theta": "θ",
    "lambda": "λ", "mu": "μ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "omega": "ω",
    "nabla": "∇", "partial": "∂", "sum": "∑", "prod": "∏", "infty": "∞", "leftarrow": "←", "rightarrow": "→",
    "to": "→", "mapsto": "↦", "cdot": "·", "times": "×", "le": "≤", "ge": "≥", "ne": "≠", "approx": "≈", "pm": "±",
    "in": "∈", "dots": "…", "ldots": "…", "quad": "\u00a0\u00a0\u00a0", "odot": "⊙", "lfloor": "⌊", "rfloor": "⌋",
    "|": "‖", "{": "{", "}": "}", "%": "%", ",": "\u202f", ";": "\u2005", "$": "$",
}  # fmt: skip
_UPRIGHT = ("log", "ln", "exp", "sin", "cos", "tanh", "max", "min", "sign", "ReLU", "softmax")
_ACCENTS: Mapping[str, str] = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "vec": "\u20d7"}
_SPACED = "=<>+←→↦≤≥≠≈±∈"
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|[{}^_]|\d+(?:\.\d+)?|\s+|.", re.DOTALL)


def to_html(formula: str) -> str:
    """The formula as Qt's rich text: letters in italics, numbers upright, indices and powers small.

    Known are Greek letters, arrows and relations, \\frac, \\sqrt, \\text, \\hat, \\bar, function names, ^ and _.
    Whatever else it holds is shown as it was typed: nothing of a lesson's text is lost, and nothing of it is markup.
    """
    return _Reader(formula).all()


class _Reader:
    def __init__(self, formula: str) -> None:
        self._tokens = [token for token in _TOKEN.findall(formula) if not token.isspace()]
        self._raw = _TOKEN.findall(formula)
        self._next = 0
        self._depth = 0

    def all(self) -> str:
        pieces = []
        while self._next < len(self._tokens):
            pieces.append(self._piece())
        return "".join(pieces)

    def _take(self) -> str:
        token = self._tokens[self._next] if self._next < len(self._tokens) else ""
        self._next += 1
        return token

    def _group(self) -> str:
        """What one command or index applies to: a group in braces, or a single piece."""
        if self._next < len(self._tokens) and self._tokens[self._next] == "{" and self._depth < 20:
            self._next += 1
            self._depth += 1
            pieces = []
            while self._next < len(self._tokens) and self._tokens[self._next] != "}":
                pieces.append(self._piece())
            self._next += 1
            self._depth -= 1
            return "".join(pieces)
        return self._piece()

    def _piece(self) -> str:
        token = self._take()
        if token == "^":
            return f"<sup>{self._group()}</sup>"
        if token == "_":
            return f"<sub>{self._group()}</sub>"
        if token == "{":
            self._next -= 1
            return self._group() if self._depth < 20 else html.escape(self._take())
        if token.startswith("\\"):
            return self._command(token[1:])
        if token.isalpha():
            return f"<i>{html.escape(token)}</i>"
        if token == "-":
            return "\u2212" if self._next < 2 or self._tokens[self._next - 2] in "=({^_" else "\u2009\u2212\u2009"
        if token in _SPACED:
            return f"\u2009{html.escape(token)}\u2009"
        return html.escape(token)

    def _command(self, name: str) -> str:
        if name == "frac":
            above, below = self._group(), self._group()
            return f"{_bracketed(above)}\u2009/\u2009{_bracketed(below)}"
        if name == "sqrt":
            return f"√{_bracketed(self._group())}"
        if name in ("text", "mathrm"):
            return self._text()
        if name in _ACCENTS:
            inner = self._group()
            return re.sub(r"(\w)(</i>)?$", rf"\1{_ACCENTS[name]}\2", inner)
        if name in _UPRIGHT:
            return f"{name}\u2009"
        symbol = _SYMBOLS.get(name)
        if symbol is None:
            return html.escape("\\" + name)
        return f"\u2009{symbol}\u2009" if symbol in _SPACED else symbol

    def _text(self) -> str:
        """Words, with the spaces between them."""
        words = []
        if self._take() != "{":
            self._next -= 1
            return self._piece()
        while self._next < len(self._tokens) and self._tokens[self._next] != "}":
            words.append(self._take())
        self._next += 1
        joined = "".join(words)
        # The spaces were dropped with the tokens: find the words again as they were typed.
        pattern = r"\s*".join(map(re.escape, words))
        typed = re.search(pattern, "".join(self._raw)) if len(words) <= 200 else None
        return html.escape(typed.group(0) if typed else joined)


def _bracketed(inner: str) -> str:
    """In brackets, where it is more than one symbol."""
    plain = re.sub(r"<[^>]+>", "", inner)
    return (
        inner if len(plain.strip()) <= 1 or (plain.replace(".", "").isalnum() and plain[0].isdigit()) else f"({inner})"
    )
