"""A small language of scalar assignments, read by a parser of its own. Nothing in it is ever run as Python.

    a = 5                  # a number alone is a leaf: its gradient is asked for
    b = a*5 + exp(-a)      # + - * / ** as in Python, parentheses, the functions of FUNCTIONS
    no_grad: d = a*b       # computed without gradients; an indented block after `no_grad:` does the same

A name is defined once, and used only below the line that defines it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

from engine.errors import InputError

MAX_CHARACTERS = 4000
MAX_LINES = 100
MAX_LINE_LENGTH = 200  # characters
MAX_NAME_LENGTH = 20  # characters
MAX_OPERATIONS = 120  # in a program: more cannot be read as a graph
MAX_DEPTH = 30  # parentheses, signs and powers within each other

Operator: TypeAlias = Literal["+", "-", "*", "/", "**"]

FUNCTIONS = ("exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "relu", "abs", "square", "detach")
NO_GRAD = "no_grad"

_TOKEN = re.compile(
    r"(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*)|(?P<sign>\*\*|[-+*/()=:])|(?P<space>[ \t]+)|(?P<comment>\#.*)",
    re.ASCII,
)
_HINTS = {
    "^": "write ** for a power",
    "×": "write * for a product",
    "·": "write * for a product",
    "÷": "write / for a quotient",
    "−": "write - for a minus",
    "–": "write - for a minus",
    ",": "a decimal point is written . and a function takes one argument",
    ".": f"functions go by their name alone, as exp(a); {NO_GRAD}: computes without gradients",
    ";": "write each assignment on a line of its own",
    "[": "variables are single numbers here",
    "@": "variables are single numbers here, whose product is written *",
    "²": "write **2",
    "³": "write **3",
}
_ACCEPTED = "names, numbers, + - * / **, parentheses and comments after # are accepted"
_VALUE = "a number, a name, a function or ( is expected"


class ExpressionError(InputError):
    """What is wrong in a program, and where.

    Attributes:
        line, column: counted from 1; where something is missing, the column just behind what is there.
        length: characters that are wrong, at least 1.
    """

    def __init__(self, problem: str, accepted: str, *, line: int, column: int, length: int = 1) -> None:
        super().__init__("program", f"line {line}, column {column}: {problem}", accepted)
        self.reason = problem
        self.line, self.column, self.length = line, column, max(length, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Where an expression stands: a line counted from 1, and its characters from `start` up to `end`, from 0."""

    line: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Number:
    value: float  # inf where it exceeds float64
    span: Span


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Negative:
    operand: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Binary:
    operator: Operator
    left: Expression
    right: Expression
    span: Span


@dataclass(frozen=True, slots=True)
class Call:
    function: str  # of FUNCTIONS
    operand: Expression
    span: Span


Expression: TypeAlias = Number | Name | Negative | Binary | Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """`name = value`, in line `line`; `no_grad`: computed without gradients."""

    name: str
    value: Expression
    line: int
    no_grad: bool


@dataclass(frozen=True, slots=True)
class Program:
    source: str
    assignments: tuple[Assignment, ...]

    def text(self, span: Span) -> str:
        """The characters at `span`."""
        return _lines(self.source)[span.line - 1][span.start : span.end]


def parse(source: str) -> Program:
    """Read a program; an empty one has no assignments.

    Raises:
        ExpressionError: it is not a program, or larger than the limits of this module.
    """
    lines = _lines(source)
    if len(lines) > MAX_LINES:
        raise ExpressionError(f"more than {MAX_LINES} lines", "shorten the program", line=MAX_LINES + 1, column=1)
    total = 0
    for number, line in enumerate(lines, start=1):
        if len(line) > MAX_LINE_LENGTH:
            raise ExpressionError(
                f"a line of more than {MAX_LINE_LENGTH} characters",
                "split it into several assignments",
                line=number,
                column=MAX_LINE_LENGTH + 1,
                length=len(line) - MAX_LINE_LENGTH,
            )
        total += len(line) + 1
        if total > MAX_CHARACTERS + 1:
            raise ExpressionError(
                f"more than {MAX_CHARACTERS} characters", "shorten the program", line=number, column=1
            )
    return Program(source, tuple(_Reader(lines).assignments()))


def is_constant(expression: Expression) -> bool:
    """Made of numbers alone: no name and no detach."""
    match expression:
        case Number():
            return True
        case Name():
            return False
        case Negative(operand=operand):
            return is_constant(operand)
        case Call(function=function, operand=operand):
            return function != "detach" and is_constant(operand)
        case Binary(left=left, right=right):
            return is_constant(left) and is_constant(right)


def _lines(source: str) -> list[str]:
    return source.replace("\r\n", "\n").split("\n")


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # number, name, sign, or end
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


class _Reader:
    """Recursive descent, a line at a time. Depth and operations are counted, so that no input takes long."""

    def __init__(self, lines: list[str]) -> None:
        self._texts = lines
        self._defined: dict[str, int] = {}
        self._operations = 0
        self._depth = 0
        self._line = 0
        self._tokens: list[_Token] = []
        self._at = 0

    def assignments(self) -> list[Assignment]:
        found: list[Assignment] = []
        block: int | None = None  # the line of the open `no_grad:`
        filled = True  # the block has an assignment
        for number, text in enumerate(self._texts, start=1):
            self._line, self._at = number, 0
            self._tokens = self._tokenize(text)
            first = self._tokens[0]
            if first.kind == "end":
                continue
            if first.start == 0:
                self._check_block(block, filled=filled)
                block = None
            elif block is None:
                raise self._wrong(
                    "this line is indented", "only the lines of a no_grad: block are indented", start=0, end=first.start
                )
            no_grad = block is not None
            if first.text == NO_GRAD and self._tokens[1].text == ":":
                self._at = 2
                if self._peek().kind == "end" and block is None:
                    block, filled = number, False
                    continue
                no_grad = True
            found.append(self._assignment(no_grad=no_grad))
            filled = True
        self._check_block(block, filled=filled)
        return found

    def _check_block(self, block: int | None, *, filled: bool) -> None:
        if block is not None and not filled:
            raise ExpressionError(
                f"{NO_GRAD}: without an assignment",
                "write one behind it, or indented on the next lines",
                line=block,
                column=1,
                length=len(NO_GRAD) + 1,
            )

    def _assignment(self, *, no_grad: bool) -> Assignment:
        target = self._next()
        if target.kind != "name":
            raise self._unexpected(target, "a name is expected, as in a = 5")
        name = target.text
        if len(name) > MAX_NAME_LENGTH:
            raise self._wrong_token("this name is too long", f"at most {MAX_NAME_LENGTH} characters", target)
        if name in FUNCTIONS or name == NO_GRAD:
            what = "the word for computing without gradients" if name == NO_GRAD else "a function"
            raise self._wrong_token(f"{name} is {what}", "choose another name for the variable", target)
        if name in self._defined:
            raise self._wrong_token(
                f"{name} is already defined in line {self._defined[name]}", "choose another name", target
            )
        sign = self._next()
        if sign.text != "=":
            raise self._unexpected(sign, f"= is expected after {name}")
        value = self._sum()
        rest = self._peek()
        if rest.kind != "end":
            raise self._leftover(rest)
        self._defined[name] = self._line
        return Assignment(name=name, value=value, line=self._line, no_grad=no_grad)

    def _sum(self) -> Expression:
        start, left = self._peek().start, self._product()
        while self._peek().text in ("+", "-"):
            left = self._binary(left, self._next(), self._product(), start=start)
        return left

    def _product(self) -> Expression:
        start, left = self._peek().start, self._signed()
        while self._peek().text in ("*", "/"):
            left = self._binary(left, self._next(), self._signed(), start=start)
        return left

    def _signed(self) -> Expression:
        """A sign binds less than a power at its right: -a**2 is -(a**2)."""
        sign = self._peek()
        if sign.text not in ("+", "-"):
            return self._power()
        self._deeper(self._next())
        operand = self._signed()
        self._depth -= 1
        if sign.text == "+":
            return operand
        span = Span(line=self._line, start=sign.start, end=self._last_end())
        if isinstance(operand, Number):
            return Number(-operand.value, span)
        self._count(sign)
        return Negative(operand, span)

    def _power(self) -> Expression:
        """From the right: a**b**c is a**(b**c)."""
        start, base = self._peek().start, self._value()
        if self._peek().text != "**":
            return base
        sign = self._next()
        self._deeper(sign)
        exponent = self._signed()
        self._depth -= 1
        return self._binary(base, sign, exponent, start=start)

    def _value(self) -> Expression:
        token = self._next()
        span = Span(line=self._line, start=token.start, end=token.end)
        if token.kind == "number":
            return Number(float(token.text), span)
        if token.kind == "name":
            return self._named(token, span)
        if token.text == "(":
            return self._parenthesis(token)
        raise self._unexpected(token, _VALUE)

    def _named(self, token: _Token, span: Span) -> Expression:
        name, called = token.text, self._peek().text == "("
        if name in FUNCTIONS:
            if not called:
                raise self._wrong_token(f"{name} is a function", f"write its argument: {name}(…)", token)
            self._count(token)
            operand = self._parenthesis(self._next())
            return Call(name, operand, Span(line=self._line, start=token.start, end=self._last_end()))
        if name not in self._defined:
            if called:
                raise self._wrong_token(f"there is no function {name}", "there are " + ", ".join(FUNCTIONS), token)
            raise self._wrong_token(f"{name} is not defined", f"define it on a line above: {name[:20]} = 1", token)
        if called:
            raise self._wrong_token(f"{name} is a variable, not a function", "write * for a product", token)
        return Name(name, span)

    def _parenthesis(self, opening: _Token) -> Expression:
        self._deeper(opening)
        inner = self._sum()
        closing = self._peek()
        if closing.text != ")":
            if closing.kind == "end":
                raise self._wrong_token("this parenthesis is not closed", ") is expected", opening)
            raise self._leftover(closing)
        self._at += 1
        self._depth -= 1
        return inner

    def _binary(self, left: Expression, sign: _Token, right: Expression, *, start: int) -> Binary:
        """`start`: of the left operand, its parentheses included."""
        self._count(sign)
        span = Span(line=self._line, start=start, end=self._last_end())
        return Binary(cast(Operator, sign.text), left, right, span)

    def _count(self, token: _Token) -> None:
        self._operations += 1
        if self._operations > MAX_OPERATIONS:
            raise self._wrong_token(f"more than {MAX_OPERATIONS} operations", "shorten the program", token)

    def _deeper(self, token: _Token) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._wrong_token(
                f"more than {MAX_DEPTH} levels within each other", "split it into several assignments", token
            )

    def _peek(self) -> _Token:
        return self._tokens[self._at]

    def _next(self) -> _Token:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _last_end(self) -> int:
        """Where the last token that was taken ends."""
        return self._tokens[self._at - 1].end

    def _tokenize(self, text: str) -> list[_Token]:
        """The tokens of a line and one that stands for its end."""
        tokens, at, end = [], 0, 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                sign = text[at]
                shown = sign if sign.isprintable() and not sign.isspace() else f"U+{ord(sign):04X}"
                raise self._wrong(f"{shown} is not understood", _HINTS.get(sign, _ACCEPTED), start=at, end=at + 1)
            at = found.end()
            if found.lastgroup in ("number", "name", "sign"):
                tokens.append(_Token(found.lastgroup, found.group(), found.start()))
                end = at
        return [*tokens, _Token("end", "", end)]

    def _leftover(self, token: _Token) -> ExpressionError:
        """The error of a token that stands behind a complete expression."""
        if token.text == ")":
            return self._wrong_token("this parenthesis was never opened", "remove it, or write ( before it", token)
        if token.text == "=":
            return self._wrong_token("a second =", "one assignment a line", token)
        if token.kind in ("number", "name") or token.text == "(":
            return self._wrong_token(
                f"an operator is missing before {token.text}", "+, -, *, / or ** is expected", token
            )
        return self._unexpected(token, "an operator or the end of the line is expected")

    def _unexpected(self, token: _Token, accepted: str) -> ExpressionError:
        problem = "the line ends here" if token.kind == "end" else f"{token.text} cannot stand here"
        return self._wrong_token(problem, accepted, token)

    def _wrong_token(self, problem: str, accepted: str, token: _Token) -> ExpressionError:
        return self._wrong(problem, accepted, start=token.start, end=token.end)

    def _wrong(self, problem: str, accepted: str, *, start: int, end: int) -> ExpressionError:
        return ExpressionError(problem, accepted, line=self._line, column=start + 1, length=end - start)
