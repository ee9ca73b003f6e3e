"""The channel keeps order, everything that must not be lost, and the extremes of what it merges."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.channel import Channel, merge_steps
from engine.events import Event, Intervened, Paused, Preparing, StepFinished
from tests.engine.runs import of_kind


def step(number: int, loss: float) -> StepFinished:
    return StepFinished(number, 1, loss, 0.1, float(number))


finite = st.floats(-1e6, 1e6)
OTHERS: tuple[Event, ...] = (Paused(0), Preparing("x"), Intervened(0, "learning_rate", "1", "2"))
others = st.sampled_from(OTHERS)


@st.composite
def streams(draw: st.DrawFn) -> list[Event]:
    """Steps in order of number with other events among them."""
    pieces: list[float | Event] = draw(st.lists(st.one_of(finite, others), max_size=120))
    return [step(place, piece) if isinstance(piece, float) else piece for place, piece in enumerate(pieces)]


class TestMerging:
    @settings(deadline=None)
    @given(streams())
    def test_keeps_order_extremes_both_ends_and_all_that_is_no_step(self, events: list[Event]) -> None:
        merged = merge_steps(events)
        places = iter(events)
        assert all(any(event is other for other in places) for event in merged)  # in order, nothing new
        assert [e for e in merged if not isinstance(e, StepFinished)] == [
            e for e in events if not isinstance(e, StepFinished)
        ]
        before, after = of_kind(events, StepFinished), of_kind(merged, StepFinished)
        if before:
            assert (after[0], after[-1]) == (before[0], before[-1])
            assert min(e.loss for e in after) == min(e.loss for e in before)
            assert max(e.loss for e in after) == max(e.loss for e in before)

    @settings(deadline=None)
    @given(st.lists(finite, min_size=16, max_size=200))
    def test_keeps_about_half_the_steps(self, losses: list[float]) -> None:
        merged = merge_steps([step(number, loss) for number, loss in enumerate(losses)])
        assert len(merged) <= len(losses) / 2 + 4

    @pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
    def test_keeps_a_loss_that_is_not_finite(self, loss: float) -> None:
        events = [step(number, loss if number == 21 else 1.0) for number in range(50)]
        assert events[21] in of_kind(merge_steps(list(events)), StepFinished)


class TestChannel:
    def test_gives_everything_once_and_in_order(self) -> None:
        channel = Channel()
        events: list[Event] = [Preparing("x"), step(1, 2.0), Paused(1), step(2, 1.0)]
        for event in events:
            channel.put(event)
        assert channel.drain() == events
        assert channel.drain() == []

    @settings(deadline=None)
    @given(streams(), st.integers(8, 30))
    def test_holds_no_more_steps_than_it_may_and_drops_nothing_else(self, events: list[Event], limit: int) -> None:
        channel = Channel(waiting_steps=limit)
        for event in events:
            channel.put(event)
        waiting = channel.drain()
        assert [e for e in waiting if not isinstance(e, StepFinished)] == [
            e for e in events if not isinstance(e, StepFinished)
        ]
        if all(isinstance(event, StepFinished) for event in events):
            assert len(waiting) <= limit

    def test_of_a_million_steps_a_bounded_number_waits_and_the_extremes_are_there(self) -> None:
        """As many as pass while the window is busy for minutes; 100,000 show the same."""
        channel = Channel(waiting_steps=64)
        losses = [math.sin(number) for number in range(100_000)]
        losses[31_313], losses[77_777] = 50.0, -50.0
        for number, loss in enumerate(losses):
            channel.put(step(number, loss))
        waiting = of_kind(channel.drain(), StepFinished)
        assert len(waiting) <= 64
        assert [e.step for e in waiting if abs(e.loss) > 1] == [31_313, 77_777]
        assert (waiting[0].step, waiting[-1].step) == (0, 99_999)

    def test_nothing_is_lost_or_doubled_between_two_threads(self) -> None:
        channel = Channel()
        done = threading.Event()
        events = [Paused(number) for number in range(5_000)]

        def put() -> None:
            for event in events:
                channel.put(event)
            done.set()

        thread = threading.Thread(target=put)
        thread.start()
        seen: list[Event] = []
        while not done.is_set():
            seen += channel.drain()
        thread.join()
        seen += channel.drain()
        assert_same(seen, events)


def assert_same(seen: Sequence[Event], expected: Sequence[Event]) -> None:
    assert len(seen) == len(expected)
    assert all(one is other for one, other in zip(seen, expected, strict=True))
