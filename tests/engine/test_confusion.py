"""Confusion counted part by part, and the order in which it is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from engine.config import make_config
from engine.datasets.data import Samples
from engine.errors import InputError
from engine.inspection.confusion import Confusion, Tally, balanced_order, confusion_matrix, look_at
from engine.live import untrained
from tests.engine.runs import dataset_of, tiny_library


def split_of(targets: list[int]) -> Samples:
    return Samples(torch.zeros(len(targets), 2), torch.tensor(targets))


def lenet() -> tuple[Samples, Tally]:
    config = make_config({"network": "lenet3"})
    test = dataset_of(config, tiny_library()).test
    return test, Tally(untrained(config), test, balanced_order(test))


def confusion(counts: list[list[int]]) -> Confusion:
    table = np.array(counts)
    true, given = (np.repeat(axis.ravel(), table.ravel()) for axis in np.indices(table.shape))
    return Confusion(
        classes=tuple("abcdef"[: len(table)]),
        numbers=np.arange(len(true))[::-1].copy(),
        true=true,
        given=given,
        of=len(true),
        counts=table,
    )


class TestOrder:
    def test_classes_take_turns_until_they_have_no_samples_left(self) -> None:
        targets = [0] * 9 + [1] * 3 + [2] * 6
        order = balanced_order(split_of(targets))
        assert sorted(order.tolist()) == list(range(18))
        turns = np.array(targets)[order]
        for start in range(0, 9, 3):
            assert sorted(turns[start : start + 3].tolist()) == [0, 1, 2]
        assert sorted(turns[9:15].tolist()) == [0, 0, 0, 2, 2, 2]
        assert turns[15:].tolist() == [0, 0, 0]

    def test_is_always_the_same_and_not_that_of_the_split(self) -> None:
        samples = split_of([number % 3 for number in range(300)])
        order = balanced_order(samples)
        assert np.array_equal(order, balanced_order(samples))
        assert order[:30].max() > 200

    def test_classes_that_are_missing_take_no_turn(self) -> None:
        assert sorted(balanced_order(split_of([4, 1, 4]))[:2].tolist()) in ([0, 1], [1, 2])
        assert not len(balanced_order(Samples(torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64))))


class TestTally:
    def test_parts_add_up_to_what_is_counted_at_once(self) -> None:
        test, tally = lenet()
        tally.count(7)
        part = tally.found()
        assert (part.done, part.of, part.whole) == (7, len(test), False)
        assert part.counts.sum() == 7
        while not tally.whole:
            tally.count(len(test), seconds=0.0)
        whole = tally.found()
        assert whole.whole
        assert len(tally) == len(test)
        answers = untrained(make_config({"network": "lenet3"})).answers(test.inputs.numpy()).argmax(axis=1)
        oracle = np.zeros((10, 10), np.int64)
        np.add.at(oracle, (test.targets.numpy(), answers), 1)
        assert np.array_equal(whole.counts, oracle)
        assert np.array_equal(whole.numbers[:7], part.numbers)
        assert np.array_equal(whole.given[:7], part.given)
        assert tally.spent > 0

    def test_ends_where_it_is_not_wanted_any_more(self) -> None:
        test, tally = lenet()
        tally.count(len(test), wanted=lambda: False)
        assert 0 < tally.done < len(test)

    def test_all_of_it_belongs_to_the_moment_it_began(self) -> None:
        config = make_config({"network": "lenet3"})
        test = dataset_of(config, tiny_library()).test
        live = untrained(config)
        before = confusion_matrix(live, test)
        tally = Tally(live, test)
        with torch.no_grad(), live.updating:
            for parameter in live._twin.parameters():
                parameter.neg_()
        tally.count(len(test))
        assert np.array_equal(tally.found().counts, before)  # type: ignore[arg-type]
        assert not np.array_equal(confusion_matrix(live, test), before)  # type: ignore[arg-type]

    def test_answers_cannot_be_written_to(self) -> None:
        test, tally = lenet()
        tally.count(len(test))
        found = tally.found()
        for array in (found.numbers, found.true, found.given, found.counts):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0

    def test_needs_classes(self) -> None:
        config = make_config({"dataset": "line_points", "network": "linear", "loss": "mse"})
        with pytest.raises(InputError, match="no classes"):
            Tally(untrained(config), dataset_of(config).test)


class TestFigures:
    def test_of_each_class(self) -> None:
        found = confusion([[6, 2, 0], [1, 3, 0], [0, 0, 0]])
        assert found.accuracy == pytest.approx(9 / 12)
        np.testing.assert_allclose(found.recall, np.array([6 / 8, 3 / 4, np.nan]))
        np.testing.assert_allclose(found.precision, np.array([6 / 7, 3 / 5, np.nan]))
        np.testing.assert_allclose(found.shares, np.array([[0.75, 0.25, 0.0], [0.25, 0.75, 0.0], [0.0, 0.0, 0.0]]))
        assert np.isnan(confusion([[0, 0], [0, 0]]).accuracy)

    def test_samples_of_a_cell_are_told_by_their_numbers(self) -> None:
        found = confusion([[1, 2], [0, 1]])
        assert found.samples_in(true=0, given=1).tolist() == [1, 2]
        assert not len(found.samples_in(true=1, given=0))


@pytest.mark.parametrize(
    ("dataset", "shape", "dtype"),
    [("mnist", (3, 28, 28), "uint8"), ("cifar10", (3, 32, 32, 3), "uint8"), ("circles", (3, 2), "float32")],
)
def test_samples_are_there_to_look_at(dataset: str, shape: tuple[int, ...], dtype: str) -> None:
    network = "resnet18" if dataset == "cifar10" else "mlp"
    data = dataset_of(make_config({"dataset": dataset, "network": network}), tiny_library())
    looks = look_at(data.test, data.info, np.array([5, 0, 9]))
    assert (looks.shape, looks.dtype.name) == (shape, dtype)
    first = data.test.inputs[5].numpy()
    if dataset == "cifar10":
        first = np.moveaxis(first, 0, -1)
    assert np.array_equal(looks[0], first.reshape(shape[1:]))


def test_raw_samples_become_grey_levels() -> None:
    data = dataset_of(make_config({"dataset": "two_patterns", "network": "mlp"}))
    looks = look_at(data.test, data.info, np.array([0]))
    assert (looks.dtype.name, int(looks.max())) == ("uint8", 255)
