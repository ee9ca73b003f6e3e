"""Augmentation: what it does to a batch, and that a run that goes on, goes back or branches sees the same batches."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from engine.augmentation import (
    AUGMENTATIONS,
    SEED_FACTOR,
    STEP_FACTOR,
    Augmentation,
    augmentation_of,
    mirrored,
    shifted,
    turned,
)
from engine.checkpoint import load_checkpoint
from engine.config import RunConfig, config_from_json, make_config
from engine.control import Change, RunControl, ScheduleChange
from engine.datasets import DATASETS
from engine.datasets.data import DatasetInfo
from engine.errors import InputError
from engine.events import EpochFinished, Intervened, StepFinished
from engine.inspection.specimen import specimen_of
from engine.rewind.branch import branch, branch_config
from engine.rewind.moments import checkpoint_at, moment_at
from engine.rewind.snapshots import Snapshots
from engine.training import train
from tests.engine.checkpoint_runs import assert_unbroken, interrupted, rewritten, run, small_config
from tests.engine.runs import losses, of_kind, tiny_library, toy_config

PICTURES = [entry.name for entry in AUGMENTATIONS if entry.name != "none"]
GREY = [name for name in PICTURES if "flip" not in name]
CIFAR, MNIST = DATASETS["cifar10"].info({}), DATASETS["mnist"].info({})


def build(name: str, info: DatasetInfo = CIFAR, *, seed: int = 0, **params: object) -> Augmentation:
    resolved = AUGMENTATIONS[name].resolve(params, part="augmentation")
    found = augmentation_of(name, resolved, info, seed=seed)
    assert found is not None
    return found


def pictures(count: int = 6, *, channels: int = 3, height: int = 7, width: int = 5, last: bool = False) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    if last:
        return torch.randn(count, height, width, channels, generator=generator).permute(0, 3, 1, 2)
    return torch.randn(count, channels, height, width, generator=generator)


class TestShift:
    @pytest.mark.parametrize("last", [False, True])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_every_offset_is_a_slice_in_black(self, channels: int, last: bool) -> None:
        most, height, width = 3, 7, 5
        offsets = [(right, down) for right in range(-most, most + 1) for down in range(-most, most + 1)]
        given = pictures(len(offsets), channels=channels, height=height, width=width, last=last)
        black = torch.arange(channels).reshape(-1, 1, 1) - 2.5
        right, down = torch.tensor(offsets).T
        found = shifted(given, right, down, most=most, black=black).numpy()
        for picture, before, (across, along) in zip(found, given.numpy(), offsets, strict=True):
            expected = np.broadcast_to(black.numpy(), before.shape).copy()
            for row in range(height):
                for column in range(width):
                    if 0 <= row - along < height and 0 <= column - across < width:
                        expected[:, row, column] = before[:, row - along, column - across]
            assert np.array_equal(picture, expected), (across, along)

    def test_farther_than_the_picture_is_all_black(self) -> None:
        found = shifted(pictures(1), torch.tensor([9]), torch.tensor([0]), most=9, black=torch.full((3, 1, 1), -1.0))
        assert torch.equal(found, torch.full_like(found, -1))

    def test_offsets_of_many_steps_are_even(self) -> None:
        augment, most = build("shift", pixels=2), 2
        marked = torch.full((100, 3, 5, 5), -9.0)
        marked[:, :, 2, 2] = 9
        places = torch.cat([(augment(marked, step)[:, 0] == 9).flatten(1).float().argmax(1) for step in range(200)])
        counts = torch.bincount(places, minlength=25).double()
        expected = len(places) / (2 * most + 1) ** 2
        # χ² with 24 degrees of freedom: above 51.2 once in a thousand.
        assert float(((counts - expected) ** 2 / expected).sum()) < 51.2


def whole(count: int, value: float) -> Tensor:
    return torch.full((count,), value)


class TestAffine:
    @pytest.mark.parametrize("last", [False, True])
    def test_nothing_drawn_is_nothing_changed(self, last: bool) -> None:
        given = pictures(last=last)
        zero, one = whole(6, 0), whole(6, 1)
        found = turned(given, angle=zero, scale=one, right=zero, down=zero, black=torch.full((3, 1, 1), -0.4))
        assert torch.allclose(found, given, atol=1e-5)

    def test_whole_pixels_are_the_shift(self) -> None:
        given, black = pictures(), torch.full((3, 1, 1), -0.4)
        right, down = torch.tensor([-2, -1, 0, 1, 2, 0]), torch.tensor([1, 0, 2, -2, -1, 0])
        found = turned(given, angle=whole(6, 0), scale=whole(6, 1), right=right.float(), down=down.float(), black=black)
        assert torch.allclose(found, shifted(given, right, down, most=2, black=black), atol=1e-5)

    @pytest.mark.parametrize("quarters", [1, 2, 3, -1])
    def test_quarter_turns_are_clockwise_about_the_middle(self, quarters: int) -> None:
        given = pictures(height=6, width=6)
        zero = whole(6, 0)
        angle = whole(6, quarters * math.pi / 2)
        found = turned(given, angle=angle, scale=whole(6, 1), right=zero, down=zero, black=torch.zeros(3, 1, 1))
        assert torch.allclose(found, torch.rot90(given, -quarters, (2, 3)), atol=1e-5)

    @settings(deadline=None)
    @given(
        angle=st.floats(-3.1, 3.1),
        scale=st.floats(0.5, 2),
        right=st.floats(-4, 4),
        down=st.floats(-4, 4),
        size=st.sampled_from([(6, 6), (7, 5), (4, 9)]),
    )
    def test_it_is_the_inverse_matrix_handed_to_torch(
        self, angle: float, scale: float, right: float, down: float, size: tuple[int, int]
    ) -> None:
        height, width = size
        given = pictures(2, height=height, width=width).double()
        cos, sin = math.cos(angle), math.sin(angle)
        forward = torch.tensor([[scale * cos, -scale * sin, right], [scale * sin, scale * cos, down], [0, 0, 1]])
        to_pixels = torch.diag(torch.tensor([width / 2, height / 2, 1]))
        back = (torch.linalg.inv(to_pixels) @ torch.linalg.inv(forward) @ to_pixels)[:2].expand(2, 2, 3).double()
        grid = affine_grid(back, list(given.shape), align_corners=False)
        expected = grid_sample(given, grid, align_corners=False)
        found = turned(
            given.float(),
            angle=whole(2, angle),
            scale=whole(2, scale),
            right=whole(2, right),
            down=whole(2, down),
            black=torch.zeros(3, 1, 1),
        )
        assert torch.allclose(found.double(), expected, atol=2e-4)

    def test_what_is_drawn_stays_within_its_limits(self) -> None:
        spot = torch.full((400, 3, 21, 21), -1.0)
        spot[:, :, 10, 10] = 1
        augment = build("affine", rotation=0, scale=0, shift=3)
        brightness = (augment(spot, 7)[:, 0] + 1).double().clamp(min=0)
        steps = torch.arange(21).double() - 10
        total = brightness.sum((1, 2))
        right, down = (brightness.sum(1) * steps).sum(1) / total, (brightness.sum(2) * steps).sum(1) / total
        for place in (right, down):
            assert float(place.abs().max()) <= 3.01
            assert float(place.min()) < -2.5
            assert float(place.max()) > 2.5


def test_mirrored_pictures_have_left_and_right_exchanged() -> None:
    given = pictures(4)
    which = torch.tensor([True, False, True, False])
    found = mirrored(given, which).numpy()
    assert np.array_equal(found[::2], given.numpy()[::2, :, :, ::-1])
    assert np.array_equal(found[1::2], given.numpy()[1::2])


@pytest.mark.parametrize(("probability", "low", "high"), [(0, 0, 0), (1, 400, 400), (0.25, 65, 135)])
def test_the_share_of_mirrored_pictures_is_what_was_asked(probability: float, low: int, high: int) -> None:
    given = pictures(400)
    changed = (build("flip", probability=probability)(given, 3) != given).flatten(1).any(1)
    assert low <= int(changed.sum()) <= high


def test_noise_is_normal_and_of_the_strength_asked() -> None:
    given = torch.ones(200, 500)
    noise = build("noise", DATASETS["gaussians"].info({}), strength=0.3)(given, 11) - given
    assert abs(float(noise.mean())) < 0.005
    assert abs(float(noise.std()) - 0.3) < 0.005
    assert abs(float((noise.abs() < 0.3).double().mean()) - 0.6827) < 0.01


class TestEveryAugmentation:
    @pytest.mark.parametrize("last", [False, True])
    @pytest.mark.parametrize("channels", [1, 3])
    @pytest.mark.parametrize("name", PICTURES)
    def test_same_seed_and_step_same_pictures_and_others_others(self, name: str, channels: int, last: bool) -> None:
        info = CIFAR if channels == 3 else MNIST
        given = pictures(16, channels=channels, height=32, width=32, last=last)
        before, state = given.clone(), torch.get_rng_state()
        augment = build(name, info, seed=3)
        found = augment(given, 4)
        augment(given, 5)
        assert torch.equal(augment(given, 4), found)
        assert torch.equal(build(name, info, seed=3)(given, 4), found)
        assert not torch.equal(augment(given, 5), found)
        assert not torch.equal(build(name, info, seed=4)(given, 4), found)
        assert torch.equal(given, before)
        assert torch.equal(torch.get_rng_state(), state)
        assert (found.shape, found.dtype, found.stride()) == (given.shape, given.dtype, given.stride())

    @pytest.mark.parametrize("name", PICTURES)
    def test_pictures_do_not_depend_on_how_they_lie_in_memory(self, name: str) -> None:
        given = pictures(16, height=32, width=32)
        augment = build(name)
        last = given.contiguous(memory_format=torch.channels_last)
        assert torch.allclose(augment(last, 2), augment(given, 2), atol=1e-6)

    @pytest.mark.parametrize("name", PICTURES)
    def test_what_is_drawn_goes_where_the_pictures_are(self, name: str) -> None:
        found = build(name)(pictures(16, height=32, width=32).to("meta"), 2)
        assert (found.device.type, found.shape) == ("meta", (16, 3, 32, 32))

    @pytest.mark.parametrize("name", ["shift", "affine"])
    def test_what_comes_in_from_outside_is_a_black_pixel(self, name: str) -> None:
        black = ((0 - torch.tensor(CIFAR.mean)) / torch.tensor(CIFAR.std)).reshape(-1, 1, 1)
        given = black.expand(32, 3, 32, 32).contiguous()
        assert torch.allclose(build(name)(given, 0), given, atol=1e-6)

    def test_seeds_and_steps_do_not_share_what_they_draw(self) -> None:
        seeds = {(seed * SEED_FACTOR + step * STEP_FACTOR) % 2**32 for seed in range(50) for step in range(2000)}
        assert len(seeds) == 50 * 2000

    @pytest.mark.parametrize(
        ("name", "dataset", "reason"),
        [
            ("shift", "gaussians", "has numbers"),
            ("affine", "line_points", "has numbers"),
            ("flip", "mnist", "is grey"),
            ("shift_and_flip", "mnist", "is grey"),
            ("flip", "gaussians", "has numbers"),
        ],
    )
    def test_what_does_not_fit_is_refused_with_what_does(self, name: str, dataset: str, reason: str) -> None:
        network = "mnist_mlp" if dataset == "mnist" else "mlp" if dataset == "gaussians" else "linear"
        with pytest.raises(InputError, match=rf"^augmentation: .*{reason}.*these fit: none, ") as refused:
            make_config({"dataset": dataset, "network": network, "augmentation": name})
        assert refused.value.field == "augmentation"

    def test_every_dataset_takes_none_and_noise(self) -> None:
        for dataset in DATASETS:
            info = dataset.info({})
            fitting = {entry.name for entry in AUGMENTATIONS if not entry.refuses(info)}
            assert {"none", "noise"} <= fitting
            assert ("shift" in fitting) is ("affine" in fitting) is info.is_image
            assert ("flip" in fitting) is (info.shape[0] == 3 and info.is_image)


def pictured(name: str, optimizer: str = "adam", **settings: object) -> RunConfig:
    """Three epochs of four steps on made-up pictures, with dropout."""
    picks = {"dataset": "mnist", "network": "mlp", "optimizer": optimizer, "augmentation": name}
    if "flip" in name:
        picks |= {"dataset": "cifar10", "network": "fast_cnn"}
    dropout = {} if "flip" in name else {"network__hidden": (16,), "network__dropout": 0.3}
    return toy_config(picks, **{"training__batch_size": 18, "training__epochs": 3, **dropout, **settings})


class TestRuns:
    def test_each_step_sees_the_batch_changed_for_it_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        seen: list[tuple[Tensor, int]] = []
        original = Augmentation.__call__

        def watched(self: Augmentation, inputs: Tensor, step: int) -> Tensor:
            seen.append((inputs, step))
            return original(self, inputs, step)

        monkeypatch.setattr(Augmentation, "__call__", watched)
        run(pictured("shift"), library=tiny_library())
        assert [step for _, step in seen] == list(range(12))
        assert [len(inputs) for inputs, _ in seen] == [18, 18, 18, 10] * 3

    def test_evaluations_see_samples_as_they_are(self) -> None:
        config = pictured("noise", augmentation__strength=10.0, optimizer__learning_rate=1e-12)
        plain = config.model_copy(update={"augmentation": make_config().augmentation})
        noisy, clean = (run(each, library=tiny_library()) for each in (config, plain))
        assert losses(noisy.events)[0] > 1.5 * losses(clean.events)[0]
        for one, other in zip(of_kind(noisy.events, EpochFinished), of_kind(clean.events, EpochFinished), strict=True):
            assert one.test_loss == pytest.approx(other.test_loss, rel=1e-4)
            assert one.validation_loss == pytest.approx(other.validation_loss, rel=1e-4)

    @pytest.mark.parametrize("name", PICTURES)
    def test_it_changes_the_losses_and_the_same_seed_repeats_them(self, name: str) -> None:
        library = tiny_library()
        plain, one, other = (
            losses(train(pictured(name).model_copy(update=update), library=library))
            for update in ({"augmentation": make_config().augmentation}, {}, {})
        )
        assert one == other
        assert one != plain

    @pytest.mark.parametrize("optimizer", ["sgd", "adam", "muon", "lbfgs", "adam_rule", "asgd"])
    @pytest.mark.parametrize("name", ["shift", "affine", "noise"])
    def test_a_run_goes_on_bit_for_bit_with_dropout(self, name: str, optimizer: str, tmp_path: Path) -> None:
        config = pictured(name, optimizer)
        stop = 1 + (7 * len(name) + 3 * len(optimizer)) % 11
        whole = run(config, library=tiny_library())
        assert_unbroken(whole, *interrupted(config, tmp_path, stop=stop, library=tiny_library()))

    @pytest.mark.parametrize("stop", [3, 4, 6])
    def test_pictures_in_colour_and_channels_last(self, stop: int, tmp_path: Path) -> None:
        config = pictured("shift_and_flip", training__memory_format="channels_last", training__epochs=2)
        whole = run(config, library=tiny_library())
        assert_unbroken(whole, *interrupted(config, tmp_path, stop=stop, library=tiny_library()))

    def test_points_with_noise_and_interventions(self, tmp_path: Path) -> None:
        config = small_config({"augmentation": "noise", "optimizer": "sgd"}, network__dropout=0.3)
        doings = {
            2: lambda control: control.change(Change("learning_rate", 0.3)),
            7: lambda control: control.change(ScheduleChange("cosine", {})),
        }
        whole = run(config, doings=doings)
        assert len(of_kind(whole.events, Intervened)) == 2
        for stop in (2, 6, 9):
            assert_unbroken(whole, *interrupted(config, tmp_path / str(stop), stop=stop, doings=doings))

    def test_going_back_is_exact_at_every_step(self) -> None:
        snapshots = Snapshots(share=2.0)
        control_weights: dict[int, dict[str, Tensor]] = {}
        control = RunControl()
        for event in train(pictured("affine"), control, library=tiny_library(), snapshots=snapshots):
            if isinstance(event, StepFinished):
                assert control.live is not None
                control_weights[event.step] = dict(control.live.weights())
        for step in (11, 1, 6, 3, 12, 7):
            moment = moment_at(snapshots, step)
            assert moment is not None
            found = moment.live.weights()
            assert all(torch.equal(found[name], weight) for name, weight in control_weights[step].items()), step

    def test_a_branch_without_changes_repeats_its_parent(self) -> None:
        snapshots = Snapshots(share=2.0)
        events = list(train(pictured("noise"), library=tiny_library(), snapshots=snapshots))
        checkpoint = checkpoint_at(snapshots, 5)
        assert checkpoint is not None
        config = branch_config(checkpoint)
        assert config == pictured("noise")
        again = list(train(config, library=tiny_library(), resume=branch(checkpoint, config)))
        assert losses(again) == losses(events)[5:]

    def test_a_branch_can_take_another_augmentation(self) -> None:
        snapshots = Snapshots(share=2.0)
        events = list(train(pictured("none"), library=tiny_library(), snapshots=snapshots))
        checkpoint = checkpoint_at(snapshots, 5)
        assert checkpoint is not None
        config = branch_config(checkpoint, {"augmentation": "shift", "augmentation.pixels": 3})
        assert (config.augmentation.name, config.augmentation.params) == ("shift", {"pixels": 3})
        again = losses(train(config, library=tiny_library(), resume=branch(checkpoint, config)))
        assert len(again) == 7
        assert again != losses(events)[5:]

    def test_a_checkpoint_of_another_augmentation_is_refused(self, tmp_path: Path) -> None:
        interrupted(pictured("shift"), tmp_path, stop=4, library=tiny_library())
        other = pictured("shift", augmentation__pixels=5)
        [failed] = list(train(other, library=tiny_library(), resume=load_checkpoint(tmp_path)))[-1:]
        assert "augmentation.pixels differs" in getattr(failed, "message", "")

    def test_the_microscope_sees_the_batch_that_the_first_step_sees(self) -> None:
        config = pictured("affine")
        plain = specimen_of(config.model_copy(update={"augmentation": make_config().augmentation}), tiny_library())
        specimen = specimen_of(config, tiny_library())
        augment = augmentation_of("affine", config.augmentation.params, specimen.info, seed=config.training.seed)
        assert augment is not None
        assert torch.equal(specimen.inputs, augment(plain.inputs, 0))
        assert torch.equal(specimen.targets, plain.targets)


class TestSavedSetUps:
    @pytest.mark.parametrize("name", PICTURES)
    def test_what_is_saved_comes_back(self, name: str) -> None:
        config = pictured(name)
        assert config_from_json(config.to_json(), source="saved") == config

    def test_what_an_older_version_saved_has_no_augmentation_and_the_same_run(self) -> None:
        config = small_config(network__dropout=0.3)
        old = json.loads(config.to_json())
        assert old.pop("augmentation") == {"name": "none", "params": {}}
        old["schema_version"] = 1
        opened = config_from_json(json.dumps(old), source="old")
        assert opened == config
        assert losses(train(opened)) == losses(train(config))

    def test_a_checkpoint_of_an_older_version_goes_on(self, tmp_path: Path) -> None:
        config = small_config(network__dropout=0.3)
        whole = run(config)
        interrupted(config, tmp_path, stop=4)
        checkpoint = load_checkpoint(tmp_path)
        old = json.loads(checkpoint.manifest.config)
        del old["augmentation"]
        old["schema_version"] = 1
        manifest = checkpoint.manifest.model_copy(update={"config": json.dumps(old)})
        path = rewritten(checkpoint, tmp_path / "old.safetensors", manifest=manifest)
        assert losses(run(config, resume=load_checkpoint(path)).events) == losses(whole.events)[4:]
