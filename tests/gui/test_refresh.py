"""Redraws stay within their budget, at least twice a second."""

from __future__ import annotations

import pytest

from gui.refresh import LEAST, MOST, RefreshBudget


class Bench:
    """A clock and a processor that stand still unless told."""

    def __init__(self, share: float) -> None:
        self.now = self.spent = 0.0
        self.budget = RefreshBudget(share, clock=lambda: self.now, spent=lambda: self.spent)

    def run(self, *, seconds: float, cost: float) -> int:
        """Asks every millisecond; each redraw takes `cost` seconds. Returns how many there were."""
        end, redraws = self.now + seconds, 0
        while self.now < end:
            if self.budget.due():
                redraws += 1
                self.spent += cost
                self.now += cost
                self.budget.drawn()
            self.now += 0.001
        return redraws


def test_the_first_redraw_is_due_at_once() -> None:
    assert Bench(0.05).budget.due()


def test_cheap_redraws_come_as_often_as_they_can_be_seen() -> None:
    redraws = Bench(0.05).run(seconds=10, cost=0.0001)
    assert redraws == pytest.approx(10 / MOST, rel=0.05)


def test_dear_redraws_keep_to_the_budget() -> None:
    bench = Bench(0.05)
    redraws = bench.run(seconds=20, cost=0.01)
    assert redraws * 0.01 / 20 == pytest.approx(0.05, rel=0.1)
    assert bench.budget.cost == pytest.approx(0.05, rel=0.1)
    assert bench.budget.rate == pytest.approx(5, rel=0.1)


def test_even_the_dearest_come_twice_a_second() -> None:
    redraws = Bench(0.05).run(seconds=20, cost=0.1)
    assert redraws >= 20 / (LEAST + 0.1) - 1


def test_a_larger_budget_draws_more_often() -> None:
    assert Bench(0.25).run(seconds=10, cost=0.03) > 1.8 * Bench(0.1).run(seconds=10, cost=0.03)


def test_one_dear_moment_does_not_make_the_curve_stand_still() -> None:
    bench = Bench(0.05)
    bench.run(seconds=3, cost=0.002)
    bench.spent += 0.3
    bench.now += 0.3
    assert bench.run(seconds=3, cost=0.002) >= 0.9 * 3 / MOST
