"""The wheel alone is enough: what is in it, and that one can train from it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MNIST = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def run(*command: str | Path, cwd: Path, path: str = "") -> str:
    """The command's stdout; a failure shows both streams. `path` becomes PYTHONPATH."""
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing that lies about in the working tree gets in."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for package in ("assets", "engine", "gui"):
        shutil.copytree(ROOT / package, source / package, ignore=shutil.ignore_patterns("__pycache__"))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", ".", cwd=source)
    (built,) = (source / "dist").glob("learnscope-*.whl")
    return built


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed wheel and nothing else."""
    target = tmp_path_factory.mktemp("site")
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    run(*pip, "install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel, cwd=target)
    return target


def test_the_wheel_holds_data_icons_and_stylesheet_and_no_tests(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        entry_points = archive.read(next(name for name in names if name.endswith("entry_points.txt"))).decode()
    assert {f"assets/mnist/{name}-ubyte.gz" for name in MNIST} <= names
    wanted = {path.relative_to(ROOT).as_posix() for path in (ROOT / "assets" / "icons").rglob("*.svg")}
    assert wanted
    assert wanted | {"assets/style.qss", "engine/py.typed", "gui/py.typed"} <= names
    assert {name.split("/")[0] for name in names if "dist-info" not in name} == {"assets", "engine", "gui"}
    assert "learnscope = gui.__main__:main" in entry_points
    assert any(name.endswith("LICENSE") for name in names)


def test_an_installed_wheel_trains(site: Path, tmp_path: Path) -> None:
    script = "import engine, gui, assets; print(engine.__file__, gui.__file__, assets.__file__)"
    files = run(sys.executable, "-c", script, cwd=tmp_path, path=str(site)).split()
    assert [Path(name).parent for name in files] == [site / "engine", site / "gui", site / "assets"]

    command = (sys.executable, "-m", "engine", "train", "--network", "mnist_mlp", "--steps", "5", "--events", "-")
    events = [json.loads(line) for line in run(*command, cwd=tmp_path, path=str(site)).splitlines()]

    steps = [event for event in events if event["type"] == "step"]
    assert [event["step"] for event in steps] == [1, 2, 3, 4, 5]
    assert all(0 < event["loss"] < 10 for event in steps)
    assert events[-1]["type"] == "finished"
    assert events[-1]["reason"] == "completed"
