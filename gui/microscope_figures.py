"""What the microscope's tables and lines say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from engine.inspection.looks import Figures, Look, Outputs, ParameterLook
from gui import numbers
from gui.figure_table import Column, figures
from gui.run_state import RunState

if TYPE_CHECKING:
    from engine.inspection.microscope import Specimen

LOGITS = 10  # outputs of a sample that are shown
NOTHING = "–"
NUMBER_COLUMNS = (
    Column("Index", "Where in the parameter the number stands, counted from 0."),
    Column("Value", "The parameter now."),
    Column(".grad before", "Its gradient before the last button."),
    Column(".grad after", "Its gradient after the last button."),
    Column("Change", "What the last optimizer.step() added to it."),
)


def output_columns(outputs: Outputs) -> list[Column]:
    """Headings for `output_rows`."""
    heads = ("True", "Predicted") if outputs.true else ("Target",)
    columns = [Column("Sample", "Its place in the batch, counted from 0."), *(Column(head) for head in heads)]
    return columns + [Column(str(number), f"Output {number}") for number in range(_shown(outputs))]


def output_note(outputs: Outputs) -> str:
    """What of the outputs the table shows."""
    shown, every = _shown(outputs), outputs.shape[-1] if len(outputs.shape) > 1 else 1
    part = f", {shown} of {every} outputs" if shown < every else ""
    return f"Outputs of shape {by(outputs.shape)}: the first {many(len(outputs.values), 'sample')}{part}."


def number_rows(look: ParameterLook) -> list[tuple[str, ...]]:
    """The first numbers of a parameter, a row each."""
    columns = [
        _column(tensor, len(look.values.values))
        for tensor in (look.values, look.gradient_before, look.gradient, look.change)
    ]
    places = np.stack(np.unravel_index(np.arange(len(columns[0])), look.shape or (1,)), axis=1).tolist()
    indices = [str(place) if look.shape else "[]" for place in places]
    rows = [tuple(cells) for cells in zip(indices, *columns, strict=True)]
    rest = look.values.size - len(rows)
    return [*rows, (f"{numbers.count(rest)} more", "", "", "", "")] if rest else rows


def _column(tensor: Figures | None, rows: int) -> list[str]:
    return ["None"] * rows if tensor is None else figures(tensor.values)


def output_rows(outputs: Outputs) -> list[tuple[str, ...]]:
    """The first samples: what is true, what is predicted, and the outputs."""
    shown = _shown(outputs)
    texts = figures(outputs.values[:, :shown].ravel())
    rows = []
    for sample in range(len(outputs.values)):
        if outputs.true:
            known: tuple[str, ...] = (outputs.true[sample], outputs.predicted[sample])
        else:
            known = (", ".join(figures(outputs.targets[sample])),) if outputs.targets is not None else (NOTHING,)
        rows.append((str(sample), *known, *texts[sample * shown : (sample + 1) * shown]))
    return rows


def sums(look: Look | None) -> str:
    """Loss, gradients and change in one line."""
    figures_of = (
        ("Loss", None if look is None else look.loss),
        ("Norm of the gradients", None if look is None else look.gradient_norm),
        ("of the change", None if look is None else look.change_norm),
    )
    return "  ·  ".join(f"{name} {NOTHING if value is None else numbers.loss(value)}" for name, value in figures_of)


def by(shape: tuple[int, ...]) -> str:
    """6 × 1 × 5 × 5."""
    return " × ".join(str(size) for size in shape)


def many(amount: int, noun: str) -> str:
    """128 samples."""
    return f"{numbers.count(amount)} {noun}{'' if amount == 1 else 's'}"


def _shown(outputs: Outputs) -> int:
    return min(int(outputs.values.shape[1]), LOGITS)


def what_is_seen(specimen: Specimen, state: RunState, *, of_this_run: bool) -> str:
    """What is under the microscope, and how far the run on screen has come since."""
    batch = f"{many(len(specimen.inputs), 'sample')}, learning rate {specimen.learning_rate:.4g}"
    if not specimen.of_run:
        return f"Untrained {specimen.config.network.name}, first batch: {batch}"
    where = f"Step {numbers.count(specimen.step)}, epoch {specimen.epoch}: {batch}"
    if not of_this_run:
        return f"{where}. It is of an earlier run."
    if state.step >= specimen.step:
        return f"{where}. The run has done {numbers.count(state.step)} steps by now."
    return where


def why_not_apply(specimen: Specimen | None, state: RunState, *, of_this_run: bool) -> str:
    """Why the run on screen cannot do the step under the microscope; empty where it can."""
    if state.status == "running":
        return "The run goes on by itself: pause it first."
    if state.status != "paused":
        return "There is no paused run. Start one, pause it, and look at its next batch."
    if specimen is None or not specimen.of_run or not of_this_run:
        return "What is under the microscope is not of this run: look at its next batch first."
    if specimen.step != state.step + 1:
        return "The run has gone on since: look at its next batch first."
    return ""
