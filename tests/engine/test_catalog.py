"""Params check what they are given, entries fill in the rest, catalogues find by name."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.catalog import Catalog, Entry, Kind, Param, ParamValue, number
from engine.errors import InputError

KINDS: tuple[Kind, ...] = ("int", "float", "bool", "choice", "ints")
DEFAULTS: dict[Kind, ParamValue] = {"int": 1, "float": 1.0, "bool": True, "choice": "a", "ints": (1,)}
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.just(10**400),  # beyond every float
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=3),
    st.lists(st.one_of(st.integers(-5, 5), st.floats(), st.text(max_size=2)), max_size=4),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)
TYPES: dict[Kind, type] = {"int": int, "float": float, "bool": bool, "choice": str, "ints": tuple}


def param(
    kind: Kind,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
) -> Param:
    return Param(
        name="size",
        kind=kind,
        default=DEFAULTS[kind],
        label="Size",
        help="How large it is.",
        low=low,
        high=high,
        above=above,
        below=below,
        choices=("a", "b") if kind == "choice" else (),
    )


@pytest.mark.parametrize("kind", KINDS)
@given(value=ANYTHING)
def test_anything_becomes_the_params_own_type_or_an_answer_that_names_the_field(kind: Kind, value: object) -> None:
    error = None
    try:
        checked = param(kind).check(value, part="network")
    except InputError as refused:
        error = refused
    else:
        assert type(checked) is TYPES[kind]
        assert param(kind).check(checked, part="network") == checked
    if error is not None:
        assert error.field == "network.size"
        assert error.problem
        assert error.accepted


@given(value=st.integers(-(2**60), 2**60))
def test_whole_numbers_are_kept_also_as_text_and_as_floats_without_fraction(value: int) -> None:
    assert param("int").check(value, part="p") == value
    assert param("int").check(f" {value} ", part="p") == value
    if abs(value) < 2**53:
        assert param("int").check(float(value), part="p") == value


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_kept_also_as_text(value: float) -> None:
    assert param("float").check(value, part="p") == value
    assert param("float").check(repr(value), part="p") == value


@pytest.mark.parametrize("kind", ["int", "float"])
@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, "nan", "inf", "-inf", "1e999", True, False, "", "two"]
)
def test_what_is_no_finite_number_is_refused(kind: Kind, value: object) -> None:
    with pytest.raises(InputError):
        param(kind).check(value, part="p")


@given(
    value=st.floats(-10, 10),
    low=st.one_of(st.none(), st.floats(-5, 5)),
    high=st.one_of(st.none(), st.floats(-5, 5)),
    above=st.one_of(st.none(), st.floats(-5, 5)),
    below=st.one_of(st.none(), st.floats(-5, 5)),
)
def test_a_number_is_accepted_exactly_within_its_limits(
    value: float, low: float | None, high: float | None, above: float | None, below: float | None
) -> None:
    limited = param("float", low=low, high=high, above=above, below=below)
    inside = (
        (low is None or value >= low)
        and (high is None or value <= high)
        and (above is None or value > above)
        and (below is None or value < below)
    )
    if inside:
        assert limited.check(value, part="p") == value
    else:
        with pytest.raises(InputError):
            limited.check(value, part="p")


@given(sizes=st.lists(st.integers(1, 9999), max_size=6), separator=st.sampled_from([",", " ", ", "]))
def test_sizes_are_read_from_text_and_lists(sizes: list[int], separator: str) -> None:
    several = param("ints", low=1)
    assert several.check(separator.join(map(str, sizes)), part="p") == tuple(sizes)
    assert several.check(sizes, part="p") == tuple(sizes)


def test_every_one_of_several_sizes_is_held_to_the_limits() -> None:
    with pytest.raises(InputError, match="whole numbers such as 128,64 from 1 up to 512"):
        param("ints", low=1, high=512).check("128,0", part="network")


@pytest.mark.parametrize(("text", "value"), [("true", True), ("Yes", True), ("1", True), ("off", False), ("NO", False)])
def test_words_for_yes_and_no(text: str, value: bool) -> None:
    assert param("bool").check(text, part="p") is value


@pytest.mark.parametrize("value", ["maybe", 1, 0, None, 1.0])
def test_neither_yes_nor_no(value: object) -> None:
    with pytest.raises(InputError, match="true or false"):
        param("bool").check(value, part="p")


def test_the_answer_says_what_would_be_accepted() -> None:
    with pytest.raises(InputError) as refused:
        param("float", above=0, high=2).check(3, part="optimizer")
    assert str(refused.value) == "optimizer.size: 3 is out of range; a number above 0 up to 2"
    with pytest.raises(InputError, match="one of a, b"):
        param("choice").check("c", part="p")


def test_an_entry_fills_in_defaults_and_refuses_settings_it_lacks() -> None:
    entry = Entry(name="box", label="Box", summary="A box.", params=(param("int", low=1),))
    assert entry.resolve({}, part="network") == {"size": 1}
    assert number(entry.resolve({"size": "7"}, part="network"), "size") == 7
    with pytest.raises(InputError, match=r"network\.colour: Box has no such setting; known are size"):
        entry.resolve({"colour": "red"}, part="network")
    with pytest.raises(InputError, match="Box has no settings"):
        Entry(name="box", label="Box", summary="A box.").resolve({"size": 1}, part="network")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Special(Entry):
    pass


class _Point:
    """Stands in for an installed package's entry point."""

    def __init__(self, thing: object) -> None:
        self._thing = thing

    def load(self) -> object:
        return self._thing


def test_a_catalogue_finds_by_name_and_offers_the_nearest() -> None:
    catalog = Catalog("shape", Entry, [Entry(name=name, label=name, summary="") for name in ("circle", "square")])
    assert catalog["square"].name == "square"
    assert [entry.name for entry in catalog] == ["circle", "square"]
    assert "circle" in catalog
    assert "sphere" not in catalog
    with pytest.raises(InputError, match="unknown shape 'cirle'; did you mean circle") as refused:
        catalog["cirle"]
    assert refused.value.field == "shape"


def test_other_packages_add_entries_of_the_right_kind_but_replace_none(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = _Special(name="ours", label="Ours", summary="")
    found = {
        "learnscope.test": [
            _Point(_Special(name="theirs", label="Theirs", summary="")),
            _Point(_Special(name="ours", label="An impostor", summary="")),
            _Point(Entry(name="other", label="Of another kind", summary="")),
        ]
    }
    monkeypatch.setattr("engine.catalog.announced", lambda group: found[group])
    catalog = Catalog("shape", _Special, [ours], group="learnscope.test")
    assert [entry.name for entry in catalog] == ["ours", "theirs"]
    assert catalog["ours"] is ours
