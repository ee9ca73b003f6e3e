"""Reading IDX files, MNIST, the toy sets, inputs for networks, previews, and the library of loaded datasets."""

from __future__ import annotations

import gzip
import io
import math
import shutil
import struct
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from engine.catalog import Catalog, ParamValue
from engine.datasets import DATASETS
from engine.datasets.data import Dataset, DatasetEntry, DatasetInfo, Loading, Samples
from engine.datasets.idx import IdxError, read_idx
from engine.datasets.library import Library
from engine.datasets.mnist import load_mnist
from engine.datasets.prepare import to_inputs
from engine.datasets.preview import make_preview
from engine.datasets.tutorials import EXAM_MAXIMA
from engine.errors import InputError
from engine.events import Preparing

MNIST_FOLDER = Path(__file__).parents[2] / "assets" / "mnist"
TOYS = ("circles", "xor", "gaussians", "spirals")
REGRESSION = ("fifteen_points", "cubic_points", "line_points", "one_point")


def finish(loading: Loading) -> Dataset:
    """Runs a loading to its end."""

    def watched() -> Loading:
        dataset = yield from loading
        done.append(dataset)
        return dataset

    done: list[Dataset] = []
    assert all(event.done is None or 0 <= event.done <= 1 for event in watched())
    return done[0]


def load(name: str, **params: object) -> Dataset:
    entry = DATASETS[name]
    return finish(entry.load(entry.resolve(params, part="dataset")))


@pytest.fixture(scope="module")
def mnist() -> Dataset:
    return load("mnist")


def idx_bytes(shape: tuple[int, ...], data: bytes, *, kind: int = 0x08) -> bytes:
    return bytes((0, 0, kind, len(shape))) + struct.pack(f">{len(shape)}I", *shape) + data


class TestIdx:
    @given(st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple), st.booleans())
    def test_what_was_written_is_read(self, shape: tuple[int, ...], gzipped: bool) -> None:
        data = bytes(i % 256 for i in range(math.prod(shape)))
        raw = idx_bytes(shape, data)
        array = read_idx(io.BytesIO(gzip.compress(raw) if gzipped else raw), gzipped=gzipped)
        assert (array.shape, bytes(array.data), tuple(array.tensor().shape)) == (shape, data, shape)

    @pytest.mark.parametrize(
        ("raw", "problem"),
        [
            (b"", "is empty"),
            (b"\0\0\x08", "cut short in its header"),
            (b"PNG!" + bytes(20), "not an IDX file"),
            (b"\0\0\x08\x09" + bytes(40), "not an IDX file"),
            (idx_bytes((2, 2), bytes(4), kind=0x0D), "type 0x0d"),
            (idx_bytes((2, 2), bytes(4))[:10], "cut short in its header"),
            (idx_bytes((2, 2), bytes(3)), "cut short: 3 of 4"),
            (idx_bytes((2, 2), bytes(5)), "goes on after"),
            (idx_bytes((2**31, 2**31), b""), "more than"),
        ],
    )
    @pytest.mark.parametrize("gzipped", [False, True])
    def test_anything_else_is_refused_in_words(self, raw: bytes, problem: str, gzipped: bool) -> None:
        with pytest.raises(IdxError, match=problem):
            read_idx(io.BytesIO(gzip.compress(raw) if gzipped else raw), gzipped=gzipped)

    def test_another_shape_than_expected_is_refused(self) -> None:
        raw = idx_bytes((3, 2), bytes(6))
        assert read_idx(io.BytesIO(raw), gzipped=False, shape=(None, 2)).shape == (3, 2)
        with pytest.raises(IdxError, match="3×2 values where any×3"):
            read_idx(io.BytesIO(raw), gzipped=False, shape=(None, 3))

    @given(st.binary(max_size=60), st.booleans())
    def test_no_bytes_raise_anything_but_an_idx_error(self, raw: bytes, headed: bool) -> None:
        raw = b"\0\0\x08\x01" + raw if headed else raw
        for gzipped in (False, True):
            with suppress(IdxError):
                read_idx(io.BytesIO(raw), gzipped=gzipped)

    def test_a_flipped_bit_in_a_compressed_file_is_noticed(self) -> None:
        whole = bytes(range(50))
        packed = gzip.compress(idx_bytes((50,), whole))
        noticed = 0
        for position in range(10, len(packed)):
            damaged = bytearray(packed)
            damaged[position] ^= 0x10
            try:
                array = read_idx(io.BytesIO(damaged), gzipped=True)
            except IdxError:
                noticed += 1
            else:
                assert array.data == whole, "only a bit that carries nothing may go unnoticed"
        assert noticed >= len(packed) - 12


class TestCatalogue:
    def test_every_dataset_is_known_without_torch(self) -> None:
        program = (
            "import sys; from engine.datasets import DATASETS; "
            "sizes = [e.info(e.resolve({}, part='dataset')).train_size for e in DATASETS]; "
            "assert all(sizes), sizes; "
            "assert not {'torch', 'torchvision', 'numpy'} & set(sys.modules), 'imported too much'"
        )
        subprocess.run([sys.executable, "-c", program], check=True, cwd=MNIST_FOLDER.parents[1])

    def test_all_are_there(self) -> None:
        known = ["mnist", "fashion_mnist", "kmnist", "emnist_letters", "emnist_balanced", "cifar10", *TOYS]
        assert [entry.name for entry in DATASETS][: len(known)] == known

    @pytest.mark.parametrize("entry", list(DATASETS), ids=lambda entry: entry.name)
    def test_facts_agree_with_each_other(self, entry: DatasetEntry) -> None:
        info = entry.info(entry.resolve({}, part="dataset"))
        assert (info.name, info.label) == (entry.name, entry.label)
        assert len(info.mean) == len(info.std) == info.shape[0]
        assert len(set(info.classes)) == len(info.classes)
        assert (len(info.classes) > 1) is (entry.name not in REGRESSION)
        known = {param.name for param in entry.params}
        off = {name: value for name, value in {"normalize": False, "validation": 0}.items() if name in known}
        plain = entry.info(entry.resolve(off, part="dataset"))
        assert set(plain.mean) == {0.0}
        assert plain.std == (EXAM_MAXIMA if entry.name == "exam_scores" else (1.0,) * len(plain.std))
        assert plain.validation_size == 0
        assert plain.train_size == info.train_size + info.validation_size

    @pytest.mark.parametrize(
        ("name", "params"), [("mnist", {"validation": -1}), ("mnist", {"validation": 30_001}), ("xor", {"noise": 0.6})]
    )
    def test_settings_out_of_range_are_named(self, name: str, params: dict[str, ParamValue]) -> None:
        (setting,) = params
        with pytest.raises(InputError) as caught:
            DATASETS[name].info(params)
        assert caught.value.field == f"dataset.{setting}"


class TestMnist:
    def test_it_is_mnist(self, mnist: Dataset) -> None:
        assert tuple(mnist.train.inputs.shape) == (55_000, 1, 28, 28)
        assert tuple(mnist.validation.inputs.shape) == (5_000, 1, 28, 28)
        assert tuple(mnist.test.inputs.shape) == (10_000, 1, 28, 28)
        assert (mnist.train.inputs.dtype, mnist.train.targets.dtype) == (torch.uint8, torch.int64)
        assert mnist.train.targets[:5].tolist() == [5, 0, 4, 1, 9]
        assert mnist.test.targets.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
        every = torch.cat((mnist.train.inputs, mnist.validation.inputs)).double() / 255
        assert (round(every.mean().item(), 4), round(every.std().item(), 4)) == (0.1307, 0.3081)

    def test_validation_is_always_the_last_images(self, mnist: Dataset) -> None:
        whole = load("mnist", validation=0)
        assert (len(whole.train), len(whole.validation)) == (60_000, 0)
        assert whole.info.validation_size == 0
        assert torch.equal(whole.train.inputs[55_000:], mnist.validation.inputs)
        assert torch.equal(whole.train.targets[55_000:], mnist.validation.targets)

    @pytest.mark.parametrize(
        ("damage", "problem"),
        [
            (lambda _: b"", "is empty"),
            (lambda raw: raw[:2_000], "cut short"),
            (lambda _: b"<html>not found</html>", "not a gzip file"),
            (lambda raw: raw[:-8] + bytes(4) + raw[-4:], "checksum"),
            (lambda raw: gzip.compress(gzip.decompress(raw)[:-1] + b"\x05"), "MD5"),
        ],
        ids=["empty", "short", "foreign", "checksum", "changed"],
    )
    def test_a_damaged_file_is_named(self, tmp_path: Path, damage: object, problem: str) -> None:
        assert callable(damage)
        name = "train-labels-idx1-ubyte.gz"
        for file in MNIST_FOLDER.glob("*.gz"):
            shutil.copy(file, tmp_path)
        (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
        with pytest.raises(InputError, match=problem) as caught:
            finish(load_mnist({}, folder=tmp_path))
        assert caught.value.field == "dataset"
        assert caught.value.problem.startswith(name)
        assert "reinstall" in caught.value.accepted

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz cannot be read: No such file"):
            finish(load_mnist({}, folder=tmp_path))


class TestToys:
    @pytest.mark.parametrize("name", TOYS)
    def test_sizes_types_and_ranges(self, name: str) -> None:
        data = load(name, samples=1_001, noise=0.25)
        assert (len(data.train), len(data.validation), len(data.test)) == (401, 100, 500)
        for split in (data.train, data.validation, data.test):
            assert (split.inputs.dtype, split.targets.dtype) == (torch.float32, torch.int64)
            assert split.inputs.shape[1:] == (2,)
            assert set(split.targets.tolist()) == {0, 1}
        assert data.train.inputs.abs().max() < 10
        inputs = to_inputs(data.train.inputs, data.info, (2,))
        assert 0.5 < inputs.std() < 1.5

    @pytest.mark.parametrize("name", TOYS)
    def test_the_seed_decides_and_nothing_else(self, name: str) -> None:
        before = torch.get_rng_state()
        first, again, other = (load(name, data_seed=seed, samples=50) for seed in (3, 3, 4))
        assert torch.equal(first.train.inputs, again.train.inputs)
        assert not torch.equal(first.train.inputs, other.train.inputs)
        assert torch.equal(torch.get_rng_state(), before)

    def test_circles_are_a_disc_and_a_ring(self) -> None:
        train = load("circles").train
        radius = train.inputs.norm(dim=1)
        assert torch.equal(radius < 2.5, train.targets == 1)
        assert radius[train.targets == 0].min() >= 3.5 - 1e-5
        assert radius.max() <= 5 + 1e-5

    def test_xor_is_the_sign_of_the_product_with_a_gap(self) -> None:
        train = load("xor").train
        assert torch.equal(train.inputs.prod(dim=1) >= 0, train.targets == 1)
        assert train.inputs.abs().min() >= 0.3
        assert train.inputs.abs().max() <= 5.3

    @pytest.mark.parametrize(("noise", "variance"), [(0.0, 0.5), (0.5, 4.0)])
    def test_gaussians_have_the_playgrounds_centres_and_variances(self, noise: float, variance: float) -> None:
        train = load("gaussians", samples=100_000, noise=noise).train
        for label, centre in ((1, 2.0), (0, -2.0)):
            points = train.inputs[train.targets == label]
            assert torch.allclose(points.mean(0), torch.full((2,), centre), atol=0.05)
            assert torch.allclose(points.var(0), torch.full((2,), variance), rtol=0.05)

    def test_spirals_wind_at_the_playgrounds_pace(self) -> None:
        train = load("spirals").train
        radius = train.inputs.norm(dim=1)
        angle = 1.75 * 2 * math.pi * radius / 5 + torch.where(train.targets == 1, 0.0, math.pi)
        expected = torch.stack((radius * angle.sin(), radius * angle.cos()), dim=1)
        assert torch.allclose(train.inputs, expected, atol=1e-4)


class TestInputs:
    def test_images_become_what_the_formula_says(self, mnist: Dataset) -> None:
        images = mnist.test.inputs[:100]
        expected = functional.pad(images.float() / 255, (2, 2, 2, 2))
        expected = (expected - 0.1307) / 0.3081
        assert torch.equal(to_inputs(images, mnist.info, (1, 32, 32)), expected)
        assert torch.equal(to_inputs(images, mnist.info, (1, 28, 28)), expected[:, :, 2:-2, 2:-2])

    def test_colour_is_normalised_a_channel_at_a_time(self) -> None:
        info = DATASETS["cifar10"].info({})
        images = torch.randint(0, 256, (40, 3, 32, 32), dtype=torch.uint8)
        mean, std = (torch.tensor(v).reshape(3, 1, 1) for v in (info.mean, info.std))
        expected = (functional.pad(images.float() / 255, (1, 2, 1, 2)) - mean) / std
        assert torch.equal(to_inputs(images, info, (3, 35, 35)), expected)

    def test_points_are_scaled_and_the_stored_ones_left_alone(self) -> None:
        info = DATASETS["xor"].info({})
        points = torch.randn(70, 2)
        kept = points.clone()
        assert torch.equal(to_inputs(points, info, (2,)), kept / torch.tensor(info.std))
        assert torch.equal(points, kept)
        assert to_inputs(points, DATASETS["xor"].info({"normalize": False}), (2,)).data_ptr() != points.data_ptr()

    def test_no_samples_make_no_inputs(self, mnist: Dataset) -> None:
        assert to_inputs(mnist.test.inputs[:0], mnist.info, (1, 32, 32)).shape == (0, 1, 32, 32)

    @pytest.mark.parametrize("shape", [(1, 27, 28), (3, 28, 28), (784,), (1, 1, 28, 28)])
    def test_shapes_that_do_not_go_together_are_refused(self, mnist: Dataset, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="cannot become"):
            to_inputs(mnist.test.inputs[:1], mnist.info, shape)


class TestPreview:
    def test_of_mnist(self, mnist: Dataset) -> None:
        preview = make_preview(mnist, per_class=3)
        assert preview.thumbnails.shape == (30, 28, 28)
        assert preview.thumbnail_labels.tolist() == [label for label in range(10) for _ in range(3)]
        first_zero = int((mnist.train.targets == 0).nonzero()[0])
        assert np.array_equal(preview.thumbnails[0], mnist.train.inputs[first_zero, 0].numpy())
        assert preview.counts.sum(axis=1).tolist() == [55_000, 5_000, 10_000]
        assert preview.counts[2].tolist() == mnist.test.targets.bincount().tolist()
        expected = mnist.train.inputs[:, 0].double().mean(0).numpy()
        assert np.allclose(preview.mean_image, expected, atol=1e-4)
        assert preview.points.shape == (0, 2)

    def test_of_colour_images(self) -> None:
        info = DATASETS["cifar10"].info({})
        images = torch.randint(0, 256, (20, 3, 32, 32), dtype=torch.uint8)
        split = Samples(images, torch.arange(20) % 4)
        preview = make_preview(Dataset(info=info, train=split, validation=split, test=split))
        assert preview.thumbnails.shape == (20, 32, 32, 3)
        assert preview.mean_image.shape == (32, 32, 3)
        assert np.array_equal(preview.thumbnails[1], images[4].permute(1, 2, 0).numpy())
        assert preview.counts[0].tolist() == [5] * 4 + [0] * 6

    def test_of_points(self) -> None:
        data = load("spirals", samples=10_000)
        preview = make_preview(data)
        assert preview.points.shape == (2_000, 2)
        assert np.array_equal(preview.points, data.train.inputs[:2_000].numpy())
        assert np.array_equal(preview.point_labels, data.train.targets[:2_000].numpy())
        assert (len(preview.thumbnails), preview.mean_image.size) == (0, 0)

    def test_its_arrays_are_its_own(self) -> None:
        data = load("xor")
        preview = make_preview(data)
        kept = preview.points.copy()
        data.train.inputs.zero_()
        data.train.targets.zero_()
        assert np.array_equal(preview.points, kept)
        assert preview.point_labels.any()
        for name in ("counts", "thumbnails", "thumbnail_labels", "mean_image", "points", "point_labels"):
            assert not getattr(preview, name).flags.writeable


class Shelf:
    """A catalogue of three small datasets that counts how often each is loaded, and holds `slow` at a gate."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.gate = threading.Event()
        self.fail = False
        self.catalog = Catalog("dataset", DatasetEntry, [self._entry(name) for name in ("a", "b", "slow")])

    def _entry(self, name: str) -> DatasetEntry:
        info = DATASETS["xor"].info({})
        params = DATASETS["xor"].params

        def load(params: object) -> Loading:
            del params
            self.loads.append(name)
            yield Preparing("Loading")
            while name == "slow" and not self.gate.is_set():
                self.gate.wait(0.01)
                yield Preparing("Loading", 0.5)
            if self.fail:
                raise InputError("dataset", "no luck")
            split = Samples(torch.zeros(1, 2), torch.zeros(1, dtype=torch.int64))
            return Dataset(info=info, train=split, validation=split, test=split)

        def facts(params: object) -> DatasetInfo:
            del params
            return info

        return DatasetEntry(name=name, label=name, summary="", params=params, info=facts, load=load)


class TestLibrary:
    def test_the_last_two_stay(self) -> None:
        shelf = Shelf()
        shelf.gate.set()
        library = Library(catalog=shelf.catalog)
        first = finish(library.load("a", {}))
        assert finish(library.load("a", {"noise": 0})) is first
        finish(library.load("b", {}))
        assert finish(library.load("a", {})) is first
        finish(library.load("slow", {}))
        assert finish(library.load("a", {})) is first
        finish(library.load("b", {}))
        assert shelf.loads == ["a", "b", "slow", "b"]

    def test_other_settings_are_another_dataset(self) -> None:
        shelf = Shelf()
        library = Library(catalog=shelf.catalog)
        finish(library.load("a", {"data_seed": 1}))
        finish(library.load("a", {"data_seed": 2}))
        assert shelf.loads == ["a", "a"]

    def test_two_threads_load_it_once(self) -> None:
        shelf = Shelf()
        library = Library(catalog=shelf.catalog)
        found: list[Dataset] = []
        threads = [threading.Thread(target=lambda: found.append(finish(library.load("slow", {})))) for _ in range(3)]
        for thread in threads:
            thread.start()
        shelf.gate.set()
        for thread in threads:
            thread.join(10)
        assert shelf.loads == ["slow"]
        assert len(found) == 3
        assert all(data is found[0] for data in found)

    @pytest.mark.parametrize("how", ["cancelled", "failed"])
    def test_whoever_waits_takes_over(self, how: str) -> None:
        shelf = Shelf()
        library = Library(catalog=shelf.catalog)
        first, second = library.load("slow", {}), library.load("slow", {})
        next(first)
        assert "already" in next(second).what
        if how == "cancelled":
            assert isinstance(first, Generator)
            first.close()
        else:
            shelf.gate.set()
            shelf.fail = True
            with pytest.raises(InputError, match="no luck"):
                finish(first)
            shelf.fail = False
        shelf.gate.set()
        finish(second)
        assert shelf.loads == ["slow", "slow"]

    def test_waiting_can_be_cancelled(self) -> None:
        shelf = Shelf()
        library = Library(catalog=shelf.catalog)
        first, second = library.load("slow", {}), library.load("slow", {})
        next(first)
        next(second)
        second.close()
        shelf.gate.set()
        finish(first)
        assert shelf.loads == ["slow"]

    def test_unknown_names_and_settings_are_refused(self) -> None:
        with pytest.raises(InputError, match="did you mean mnist"):
            next(Library().load("mnits", {}))
        with pytest.raises(InputError, match=r"dataset\.nose"):
            next(Library().load("xor", {"nose": 0.1}))
