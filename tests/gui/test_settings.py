"""What the window remembers, and what it does when it cannot."""

from __future__ import annotations

import errno
import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.home import data_folder
from gui import settings
from gui.settings import FILE_NAME, Settings, load, save

OTHER = Settings(
    theme="dark",
    geometry="AdnQ",
    window_state="AAAA",
    choices={"network": {"name": "lenet3", "params": {}}},
    watching_budget=0.1,
    speed=0.5,
    brush_size=30,
    curves={"x": "seconds"},
    filter_mode="change",
    filter_scale="each",
    last_folder="/home/someone/pictures é",
    lessons_done=("two-patterns:1",),
)


def test_every_setting_comes_back(learnscope_home: Path) -> None:
    assert all(getattr(OTHER, f.name) != getattr(Settings(), f.name) for f in fields(Settings))
    assert save(OTHER) is None
    assert data_folder() == learnscope_home
    assert load() == OTHER


def test_without_a_file_there_are_defaults() -> None:
    assert load() == Settings()


@pytest.mark.parametrize("content", [b"", b"{", b"[1, 2]", b"\xff\xfe\x00", b'"text"', b"[" * 100_000, b"null"])
def test_a_damaged_file_is_passed_over(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert load(tmp_path) == Settings()


@pytest.mark.parametrize("name", [f.name for f in fields(Settings)])
@pytest.mark.parametrize("bad", [None, [1], -5, "neither"])
def test_one_bad_value_does_not_lose_the_others(tmp_path: Path, name: str, bad: object) -> None:
    if isinstance(bad, str) and name in ("geometry", "window_state", "last_folder"):
        return
    assert save(OTHER, tmp_path) is None
    path = tmp_path / FILE_NAME
    saved = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**saved, name: bad, "unknown": 1}), encoding="utf-8")
    assert load(tmp_path) == replace(OTHER, **{name: getattr(Settings(), name)})


@given(
    st.dictionaries(
        st.sampled_from([f.name for f in fields(Settings)]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
    )
)
def test_whatever_stands_in_the_file_loading_gives_settings(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, object]
) -> None:
    folder = tmp_path_factory.mktemp("home")
    (folder / FILE_NAME).write_text(json.dumps(values), encoding="utf-8")
    assert isinstance(load(folder), Settings)


def test_a_home_that_cannot_be_written_is_answered_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be", encoding="utf-8")
    problem = save(OTHER, tmp_path / "home")
    assert problem is not None
    assert problem.startswith("The window's settings could not be kept in")


def test_a_full_disk_is_answered_and_keeps_the_old_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(OTHER, tmp_path)

    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path), len(data))

    monkeypatch.setattr(settings, "write_atomically", full)
    problem = save(Settings(), tmp_path)
    assert problem is not None
    assert "No space left on device" in problem
    assert load(tmp_path) == OTHER


def test_what_is_not_json_is_answered_too(tmp_path: Path) -> None:
    problem = save(replace(OTHER, choices={"network": object()}), tmp_path)
    assert problem is not None


def test_the_home_is_the_users_data_folder_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LEARNSCOPE_HOME")
    assert data_folder().name == "learnscope"
