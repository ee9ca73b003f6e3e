"""The language of scalar assignments: read as Python reads it, and refused with the place where it is wrong."""

from __future__ import annotations

import ast
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.inspection.expressions import (
    FUNCTIONS,
    MAX_CHARACTERS,
    MAX_LINE_LENGTH,
    MAX_LINES,
    MAX_OPERATIONS,
    Binary,
    Call,
    Expression,
    ExpressionError,
    Name,
    Negative,
    Number,
    Program,
    is_constant,
    parse,
)

LESSON = "a = 5\na2 = 5\nb = a*5\nc = b/2 + a2*5\nno_grad: d = b*c"
SIGNS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}


def shape(expression: Expression) -> object:
    """An expression as nested tuples."""
    match expression:
        case Number(value=value):
            return value
        case Name(name=name):
            return name
        case Negative(operand=operand):
            return ("negative", shape(operand))
        case Call(function=function, operand=operand):
            return (function, shape(operand))
        case Binary(operator=sign, left=left, right=right):
            return (sign, shape(left), shape(right))


def python_shape(node: ast.expr) -> object:
    """The same tuples from Python's own reading."""
    match node:
        case ast.Constant(value=value):
            assert isinstance(value, int | float)
            return float(value)
        case ast.Name(id=name):
            return name
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = python_shape(operand)
            return -inner if isinstance(inner, float) else ("negative", inner)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return python_shape(operand)
        case ast.Call(func=ast.Name(id=name), args=[operand]):
            return (name, python_shape(operand))
        case ast.BinOp(left=left, op=sign, right=right):
            return (SIGNS[type(sign)], python_shape(left), python_shape(right))
    raise AssertionError(ast.dump(node))


def read(text: str) -> Program | ExpressionError:
    try:
        return parse(text)
    except ExpressionError as error:
        return error


atoms = st.one_of(
    st.sampled_from(["x", "y_1", "5", "0", "2.5", ".5", "7.", "1e-3", "2E+4", "1e999"]),
    st.floats(min_value=0, allow_nan=False, allow_infinity=False).map(repr),
)
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**", " + ", " ** "]), inner).map("".join),
        st.tuples(st.sampled_from(["-", "+", "- "]), inner).map("".join),
        inner.map(lambda text: f"({text})"),
        st.tuples(st.sampled_from(FUNCTIONS), inner).map(lambda pair: f"{pair[0]}({pair[1]})"),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(text=expressions)
def test_expressions_are_read_as_python_reads_them(text: str) -> None:
    program = read(f"x = 1\ny_1 = 2\nz = {text}")
    if isinstance(program, ExpressionError):
        assert "levels" in program.reason or "characters" in program.reason  # one of the limits, and nothing else
        return
    assert shape(program.assignments[-1].value) == python_shape(ast.parse(text.strip(), mode="eval").body)


@settings(max_examples=150, deadline=None)
@given(text=st.one_of(st.text(max_size=300), st.text(alphabet="ab5.e+-*/()=: #\n\t^,_expno_grad", max_size=300)))
def test_any_text_is_a_program_or_an_error_that_names_a_place(text: str) -> None:
    answer = read(text)
    if isinstance(answer, Program):
        return
    assert answer.field == "program"
    assert answer.reason
    assert answer.accepted
    assert min(answer.line, answer.column, answer.length) >= 1
    assert f"line {answer.line}, column {answer.column}" in str(answer)


def test_the_lesson_s_program() -> None:
    program = parse(LESSON)
    assert [(a.name, a.line, a.no_grad) for a in program.assignments] == [
        ("a", 1, False),
        ("a2", 2, False),
        ("b", 3, False),
        ("c", 4, False),
        ("d", 5, True),
    ]
    assert shape(program.assignments[3].value) == ("+", ("/", "b", 2.0), ("*", "a2", 5.0))
    assert [is_constant(a.value) for a in program.assignments] == [True, True, False, False, False]


def test_the_text_of_an_expression_has_the_parentheses_of_its_operands() -> None:
    program = parse("a = 1\nb = ((a+1)*(a)) ** (-a) - exp( (a) )")
    whole = program.assignments[1].value
    assert isinstance(whole, Binary)
    assert isinstance(whole.left, Binary)
    assert program.text(whole.span) == "((a+1)*(a)) ** (-a) - exp( (a) )"
    assert program.text(whole.left.span) == "((a+1)*(a)) ** (-a)"
    assert program.text(whole.left.left.span) == "(a+1)*(a)"
    assert program.text(whole.left.right.span) == "-a"
    assert program.text(whole.right.span) == "exp( (a) )"


def test_comments_empty_lines_and_blocks() -> None:
    program = parse("# first\n\na = 5 # five\r\nno_grad: # all below\n  b = a\n\n  # in between\n  c = a\nd = a")
    assert [(a.name, a.no_grad) for a in program.assignments] == [("a", False), ("b", True), ("c", True), ("d", False)]
    assert parse("").assignments == parse("  \n# nothing").assignments == ()


def test_numbers_too_large_are_infinite_as_in_python() -> None:
    value = parse("a = 1e999").assignments[0].value
    assert isinstance(value, Number)
    assert math.isinf(value.value)


@pytest.mark.parametrize(
    ("text", "line", "column", "length", "words"),
    [
        ("a", 1, 2, 1, "= is expected"),
        ("a =", 1, 4, 1, "a number, a name"),
        ("a = (1 + 2", 1, 5, 1, "not closed"),
        ("a = 1 + 2)", 1, 10, 1, "never opened"),
        ("a = 1\nb = 2 a", 2, 7, 1, "operator is missing before a"),
        ("a = 2 * bcd", 1, 9, 3, "bcd is not defined"),
        ("b = b + 1", 1, 5, 1, "b is not defined"),
        ("a = sin", 1, 5, 3, "sin(…)"),
        ("a = sin()", 1, 9, 1, "expected"),
        ("exp = 1", 1, 1, 3, "exp is a function"),
        ("no_grad = 1", 1, 1, 7, "choose another name"),
        ("a = 5\na = 6", 2, 1, 1, "already defined in line 1"),
        ("a = gamma(2)", 1, 5, 5, "there are exp, log"),
        ("a = 1\nb = a(2)", 2, 5, 1, "not a function"),
        ("a = 5^2", 1, 6, 1, "write **"),
        ("a = 5 × 2", 1, 7, 1, "write *"),
        ("a = 1,5", 1, 6, 1, "decimal point"),
        ("a = torch.exp(1)", 1, 10, 1, "name alone"),
        ("a = 1 = 2", 1, 7, 1, "second ="),
        ("a = 1 * / 2", 1, 9, 1, "/ cannot stand here"),
        ("5 = a", 1, 1, 1, "a name is expected"),
        ("  a = 5", 1, 1, 2, "indented"),
        ("a = 5\nno_grad:\nb = a", 2, 1, 8, "without an assignment"),
        ("no_grad:", 1, 1, 8, "without an assignment"),
        ("a = \x00", 1, 5, 1, "U+0000"),
        ("a = ５", 1, 5, 1, "not understood"),
        ("a = 1\n" + "\n" * MAX_LINES, MAX_LINES + 1, 1, 1, "lines"),
        ("a = 1" + " " * MAX_LINE_LENGTH, 1, MAX_LINE_LENGTH + 1, 5, "characters"),
        (f"#{'x' * 150}\n" * (MAX_CHARACTERS // 150 + 1), 27, 1, 1, "characters"),
        ("a = " + "(" * 60 + "1" + ")" * 60, 1, 35, 1, "levels"),
        ("a = " + "-" * 60 + "1", 1, 35, 1, "levels"),
        ("a = " + "1**" * 60 + "1", 1, 96, 2, "levels"),
        ("a" * 30 + " = 1", 1, 1, 30, "too long"),
    ],
)
def test_errors_say_where_and_what(text: str, line: int, column: int, length: int, words: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    error = caught.value
    assert words in str(error)
    assert (error.line, error.column, error.length) == (line, column, length)


def test_a_program_has_an_end() -> None:
    lines = ["a = 1"] + [f"b{i} = a" + "*a" * 4 for i in range(MAX_OPERATIONS // 4)]
    assert len(parse("\n".join(lines)).assignments) == len(lines)
    with pytest.raises(ExpressionError, match="operations"):
        parse("\n".join([*lines, "c = a*a"]))
