"""write_atomically: whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from engine.files import write_atomically


def test_writes_and_overwrites(tmp_path: Path) -> None:
    path = tmp_path / "weights.csv"
    write_atomically(path, b"first")
    write_atomically(path, b"second\r\n\x00")
    assert path.read_bytes() == b"second\r\n\x00"
    assert [p.name for p in tmp_path.iterdir()] == ["weights.csv"]


@pytest.mark.parametrize("holder_and_name", [(os, "fsync"), (Path, "replace")])
def test_a_failure_keeps_the_old_file_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, holder_and_name: tuple[object, str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "run.csv"
    path.write_bytes(b"old")
    monkeypatch.setattr(*holder_and_name, full)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["run.csv"]


def test_a_missing_folder_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "nowhere" / "x.png", b"x")


def test_a_folder_in_the_way_is_an_oserror_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_atomically(tmp_path / "taken", b"x")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


@pytest.mark.skipif(os.name != "posix", reason="umask and links as POSIX has them")
def test_respects_the_umask_and_follows_links(tmp_path: Path) -> None:
    target, link = tmp_path / "real.csv", tmp_path / "link.csv"
    target.write_bytes(b"old")
    link.symlink_to(target)
    before = os.umask(0o022)
    try:
        write_atomically(link, b"new")
    finally:
        os.umask(before)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o644


def test_long_names_fit(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 120)
    write_atomically(path, b"x")
    assert path.read_bytes() == b"x"
