"""Schedules: at every step what torch's schedulers set, without one."""

from __future__ import annotations

import math

import pytest
import torch
from torch.optim import lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from engine.errors import InputError
from engine.schedules import SCHEDULES, PlateauState, ScheduleEntry, curve

BASE = 0.4
TOTAL, STEPS_PER_EPOCH = 60, 6


def optimizer() -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE)


def rates_of(scheduler: LRScheduler, *, total: int = TOTAL, steps_per_call: int = 1) -> list[float]:
    """What `scheduler` sets for each update of a run."""
    rates = []
    for step in range(total):
        rates.append(float(scheduler.optimizer.param_groups[0]["lr"]))
        scheduler.optimizer.step()
        if (step + 1) % steps_per_call == 0 and step + 1 < total:
            scheduler.step()
    return rates


def ours(name: str, *, total: int = TOTAL, **settings: object) -> list[float]:
    entry = SCHEDULES[name]
    params = entry.resolve(settings, part="schedule")
    return [
        BASE * entry.multiplier(step, total=total, steps_per_epoch=STEPS_PER_EPOCH, params=params)
        for step in range(total)
    ]


def test_constant_stays() -> None:
    assert ours("constant") == [BASE] * TOTAL


def test_step_equals_torchs() -> None:
    theirs = rates_of(lr_scheduler.StepLR(optimizer(), step_size=3, gamma=0.3), steps_per_call=STEPS_PER_EPOCH)
    assert ours("step", every_epochs=3, factor=0.3) == pytest.approx(theirs)


@pytest.mark.parametrize("final", [0.0, 0.1])
def test_cosine_equals_torchs(final: float) -> None:
    theirs = rates_of(lr_scheduler.CosineAnnealingLR(optimizer(), T_max=TOTAL, eta_min=final * BASE))
    assert ours("cosine", final=final) == pytest.approx(theirs)


def test_cosine_after_a_warm_up_equals_torchs_two_in_a_row() -> None:
    one = optimizer()
    warm_up = lr_scheduler.LinearLR(one, start_factor=1 / 13, total_iters=12)
    cosine = lr_scheduler.CosineAnnealingLR(one, T_max=TOTAL - 12)
    theirs = rates_of(lr_scheduler.SequentialLR(one, [warm_up, cosine], milestones=[12]))
    assert ours("cosine", warm_up=0.2) == pytest.approx(theirs)


@pytest.mark.parametrize("total", [2, 3, 10, 60, 61])
@pytest.mark.parametrize(
    ("warm_up", "start", "final"), [(0.3, 25.0, 1e4), (0.25, 10.0, 100.0), (0.0, 5.0, 2.0), (0.9, 1.0, 1.0)]
)
def test_one_cycle_equals_torchs(total: int, warm_up: float, start: float, final: float) -> None:
    cycle = lr_scheduler.OneCycleLR(
        optimizer(),
        max_lr=BASE,
        total_steps=total,
        pct_start=warm_up,
        div_factor=start,
        final_div_factor=final,
        cycle_momentum=False,
    )
    settings = {"warm_up": warm_up, "start_divisor": start, "final_divisor": final}
    assert ours("one_cycle", total=total, **settings) == pytest.approx(rates_of(cycle, total=total))


LOSSES_SEEN = (2.0, 1.5, 1.5, 1.49999, 1.51, 1.6, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4, 1.4, math.nan, 1.4, 0.1, 0.1, 0.1, 0.1)


@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("minimum", [0.0, 0.2])
@pytest.mark.parametrize("threshold", [0.0, 1e-3])
def test_reduce_on_plateau_equals_torchs(*, patience: int, minimum: float, threshold: float) -> None:
    one = optimizer()
    theirs = lr_scheduler.ReduceLROnPlateau(
        one, factor=0.5, patience=patience, threshold=threshold, min_lr=minimum * BASE
    )
    params = SCHEDULES["reduce_on_plateau"].resolve(
        {"factor": 0.5, "patience": patience, "threshold": threshold, "minimum": minimum}, part="schedule"
    )
    state = PlateauState()
    seen = []
    for loss in LOSSES_SEEN:
        theirs.step(loss)
        state = state.observe(loss, params)
        seen.append(state.multiplier)
        assert BASE * state.multiplier == pytest.approx(one.param_groups[0]["lr"])
    assert min(seen) < 1


def test_only_reduce_on_plateau_watches_the_loss() -> None:
    assert [entry.name for entry in SCHEDULES if entry.plateau] == ["reduce_on_plateau"]
    assert ours("reduce_on_plateau") == [BASE] * TOTAL


@pytest.mark.parametrize("name", [entry.name for entry in SCHEDULES])
@pytest.mark.parametrize("total", [0, 1, 2, 7, 1000])
def test_factors_stay_between_zero_and_one_also_past_the_end(name: str, total: int) -> None:
    entry = SCHEDULES[name]
    params = entry.resolve({"warm_up": 0.5} if name in ("cosine", "one_cycle") else {}, part="schedule")
    factors = [entry.multiplier(s, total=total, steps_per_epoch=3, params=params) for s in range(total + 5)]
    assert all(0 <= factor <= 1 for factor in factors)
    assert len(set(factors[max(total, 1) :])) <= 1
    assert factors[0] > 0


@pytest.mark.parametrize("entry", list(SCHEDULES), ids=lambda entry: entry.name)
def test_those_that_span_the_run_say_so(entry: ScheduleEntry) -> None:
    params = entry.resolve({}, part="schedule")

    def factors(total: int) -> list[float]:
        return [entry.multiplier(step, total=total, steps_per_epoch=6, params=params) for step in range(TOTAL)]

    assert (factors(TOTAL) != factors(TOTAL + 6)) == entry.spans


@pytest.mark.parametrize("total", [1, 5, 200, 5_000_000])
def test_the_preview_goes_from_the_first_step_to_the_last(total: int) -> None:
    entry = SCHEDULES["cosine"]
    preview = curve(entry, entry.resolve({}, part="schedule"), total=total, steps_per_epoch=100)
    steps = [step for step, _ in preview]
    assert steps[0] == 0
    assert steps[-1] == total - 1
    assert steps == sorted(set(steps))
    assert len(steps) == min(total, 200)
    assert preview[0][1] == 1.0


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [
        ("step", "every_epochs", 0),
        ("step", "factor", 0),
        ("cosine", "warm_up", 1.0),
        ("cosine", "final", -0.1),
        ("one_cycle", "start_divisor", 0.5),
        ("reduce_on_plateau", "factor", 1.0),
        ("reduce_on_plateau", "patience", -1),
    ],
)
def test_values_out_of_range_are_refused(name: str, setting: str, value: object) -> None:
    with pytest.raises(InputError) as refused:
        SCHEDULES[name].resolve({setting: value}, part="schedule")
    assert refused.value.field == f"schedule.{setting}"
