"""The terminal's options for a set-up: what is trained, on what, and how."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from engine.config import RunConfig, load_config, make_config, settings_of
from engine.errors import InputError
from engine.parts import CATALOGS

PLURALS = {part: "losses" if part == "loss" else f"{part}s" for part in CATALOGS}
_SHORTCUTS = {
    "batch_size": ("training.batch_size", "samples in one update"),
    "epochs": ("training.epochs", "passes over the training set"),
    "steps": ("training.steps", "updates at most"),
    "lr": ("optimizer.learning_rate", "learning rate"),
    "seed": ("training.seed", "initial weights and data order follow from it"),
    "device": ("training.device", "auto, cpu, cuda or mps"),
    "threads": ("training.threads", "CPU threads; 0 measures the best number"),
}


def add_setup_options(parser: argparse.ArgumentParser) -> None:
    """What is to be trained, and where it is told and kept."""
    add_choice_options(parser)
    parser.add_argument("--config", metavar="FILE", help="start from a saved set-up; other options change it")
    add_events_option(parser)
    parser.add_argument("--no-record", action="store_true", help="leave the run out of the history, see `runs`")


def add_choice_options(parser: argparse.ArgumentParser) -> None:
    """A part's name, its settings, and short names for some of them."""
    for part in CATALOGS:
        parser.add_argument(f"--{part}", metavar="NAME", help=f"see `list {PLURALS[part]}`")
    for name, (_, text) in _SHORTCUTS.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar="N" if name != "device" else "NAME", help=text)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PART.PARAM=VALUE",
        help="any other setting, such as optimizer.momentum=0.9",
    )


def add_events_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--events", metavar="-|FILE", help="write one JSON object a line, to - for the standard output")


def given(options: argparse.Namespace) -> tuple[dict[str, str], dict[str, object]]:
    """Picks and settings from the options, as `make_config` takes them. Raises InputError."""
    picks = {part: getattr(options, part) for part in CATALOGS if getattr(options, part) is not None}
    settings: dict[str, object] = {}
    for pair in options.set:
        field, equals, value = pair.partition("=")
        if not equals or not field.strip():
            raise InputError("--set", f"{pair!r} is not a setting and its value", "write PART.PARAM=VALUE")
        settings[field.strip()] = value.strip()
    for name, (field, _) in _SHORTCUTS.items():
        if getattr(options, name) is not None:
            settings[field] = getattr(options, name)
    return picks, settings


def saved(options: argparse.Namespace) -> RunConfig | None:
    """The set-up that `--config` names, if any. Raises InputError."""
    return None if options.config is None else load_config(Path(options.config))


def changed(base: RunConfig | None, picks: Mapping[str, str], settings: Mapping[str, object]) -> RunConfig:
    """`base` with these picks and settings, or what they make alone. Raises InputError."""
    if base is None:
        return make_config(picks, settings)
    base_picks, base_settings = settings_of(base)
    for part, name in picks.items():  # another entry brings its own settings
        if base_picks[part] != name:
            base_settings = {k: v for k, v in base_settings.items() if not k.startswith(f"{part}.")}
    return make_config(
        {**base_picks, **picks}, {**base_settings, **settings}, initial_parameters=base.initial_parameters
    )
