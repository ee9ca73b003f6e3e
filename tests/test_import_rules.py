"""Who may import whom, read from the source; what importing loads, seen in an interpreter of its own."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
QT = ("PySide6", "shiboken6", "pyqtgraph", "superqt", "qtpy")
TORCH = ("torch", "torchvision")
THREADS = ("threading", "_thread", "concurrent", "multiprocessing", "asyncio")
QT_THREADS = ("QThread", "QThreadPool", "QRunnable", "QtConcurrent")
UNSAFE = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")


@dataclass(frozen=True, slots=True)
class Module:
    name: str
    is_package: bool
    tree: ast.Module

    def imports(self) -> set[str]:
        """The dotted names it imports anywhere, also in functions, under TYPE_CHECKING and through import_module.

        `from a import b` counts as `a` and as `a.b`, since b may be a module.
        """
        found: set[str] = set()
        for node in ast.walk(self.tree):
            match node:
                case ast.Import(names=names):
                    found |= {alias.name for alias in names}
                case ast.ImportFrom(module=module, names=names, level=level):
                    base = ".".join(part for part in (self._above(level), module) if part)
                    found |= {base} | {f"{base}.{alias.name}" for alias in names}
                case ast.Call(
                    func=ast.Attribute(attr="import_module") | ast.Name(id="import_module" | "__import__"),
                    args=[ast.Constant(value=str(name)), *_],
                ):
                    found.add(name)
        return found

    def imports_any(self, *names: str) -> set[str]:
        return {found for found in self.imports() for name in names if found == name or found.startswith(f"{name}.")}

    def _above(self, level: int) -> str:
        """The package that a relative import of `level` dots starts from, empty for an absolute one."""
        if not level:
            return ""
        parts = self.name.split(".")
        return ".".join(parts[: len(parts) - level + self.is_package])


def parse(source: str, *, name: str, is_package: bool = False) -> Module:
    return Module(name=name, is_package=is_package, tree=ast.parse(source))


def modules(*packages: str) -> Iterator[Module]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            yield parse(path.read_text(encoding="utf-8"), name=name, is_package=is_package)


BRIDGE = {module.name for module in modules("gui/bridge")}


def offenders(where: Iterator[Module], offence: Callable[[Module], set[str]]) -> dict[str, list[str]]:
    return {module.name: sorted(found) for module in where if (found := offence(module))}


@pytest.mark.parametrize(
    ("line", "imported"),
    [
        ("import gui.bridge as b", "gui.bridge"),
        ("from gui import bridge", "gui.bridge"),
        ("from ..bridge import Bridge", "gui.bridge"),
        ("from . import curves", "gui.views.curves"),
        ("def f() -> None:\n    import torch.nn", "torch.nn"),
        ("if TYPE_CHECKING:\n    from PySide6.QtCore import QObject", "PySide6.QtCore"),
        ("importlib.import_module('torch')", "torch"),
    ],
)
def test_every_form_of_import_is_seen(line: str, imported: str) -> None:
    assert imported in parse(line, name="gui.views.filters").imports()


def test_a_package_resolves_its_relative_imports_from_itself() -> None:
    assert "gui.views.curves" in parse("from .curves import Curves", name="gui.views", is_package=True).imports()


def test_engine_knows_nothing_of_the_window() -> None:
    assert not offenders(modules("engine"), lambda module: module.imports_any("gui", "tests", *QT))


def test_views_import_no_torch_no_threads_and_no_sibling() -> None:
    def offence(view: Module) -> set[str]:
        siblings = {name for name in view.imports_any("gui.views") if name != "gui.views"}
        return siblings | view.imports_any(*TORCH, "gui.bridge", "gui.main_window", "gui.app", "engine.training")

    assert not offenders(modules("gui/views"), offence)


def test_a_run_s_thread_alone_calls_training() -> None:
    def offence(module: Module) -> set[str]:
        return set() if module.name == "gui.bridge.run_thread" else module.imports_any("engine.training")

    assert not offenders(modules("gui"), offence)


def test_the_bridge_alone_knows_threads() -> None:
    def offence(module: Module) -> set[str]:
        if module.name in BRIDGE:
            return set()
        return module.imports_any(*THREADS) | {name for name in module.imports() if name.split(".")[-1] in QT_THREADS}

    assert "gui.bridge.answerer" in BRIDGE
    assert not offenders(modules("gui"), offence)


def test_the_bridge_has_one_door() -> None:
    def offence(module: Module) -> set[str]:
        return set() if module.name in BRIDGE else module.imports_any(*(BRIDGE - {"gui.bridge"}))

    assert not offenders(modules("gui", "engine", "assets"), offence)


@pytest.mark.parametrize("name", ["answers", "saving", "going_back", "tool_jobs"])
def test_what_is_done_on_other_threads_is_written_without_qt(name: str) -> None:
    (module,) = (module for module in modules("gui/bridge") if module.name == f"gui.bridge.{name}")
    assert not module.imports_any(*QT)


def test_the_app_alone_knows_the_main_window() -> None:
    def offence(module: Module) -> set[str]:
        return set() if module.name == "gui.app" else module.imports_any("gui.main_window")

    assert not offenders(modules("gui", "engine", "assets"), offence)


def test_the_window_has_pyqtgraph_from_one_place() -> None:
    def offence(module: Module) -> set[str]:
        return set() if module.name == "gui.lean" else module.imports_any("pyqtgraph")

    assert not offenders(modules("gui"), offence)


def test_nothing_is_ever_unpickled() -> None:
    def offence(module: Module) -> set[str]:
        found = module.imports_any(*UNSAFE)
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call):
                continue
            given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
            called = ast.unparse(node.func)
            if called == "torch.load" and given.get("weights_only") != "True":
                found.add(f"torch.load in line {node.lineno}")
            if given.get("allow_pickle", "False") != "False":
                found.add(f"allow_pickle in line {node.lineno}")
        return found

    assert not offenders(modules("engine", "gui", "assets"), offence)


def loaded_after(statements: str) -> list[str]:
    """The top-level packages in sys.modules of a fresh interpreter that has run `statements`."""
    code = f"{statements}\nimport sys, json\nprint(json.dumps([name for name in sys.modules if '.' not in name]))"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    names: list[str] = json.loads(run.stdout.splitlines()[-1])
    return names


def test_the_catalogues_load_neither_torch_nor_qt() -> None:
    assert not set(loaded_after("import engine.config")) & {*TORCH, *QT}


def test_the_window_s_code_loads_no_torch() -> None:
    names = [module.name for module in modules("gui") if not module.name.endswith("__main__")]
    assert "gui.theme" in names
    assert not set(loaded_after("import " + ", ".join(names))) & set(TORCH)
