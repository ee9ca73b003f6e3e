"""Downloaded datasets, from a server on this machine that holds small made-up files."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import socket
import struct
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath

import pytest
import torch

from engine.datasets import DATASETS
from engine.datasets.cifar import ARCHIVE, FOLDER, TEST_BATCH, TRAIN_BATCHES, CifarFiles
from engine.datasets.data import Dataset, Loading, Samples
from engine.datasets.download import Source, cache_folder, data_folders, download
from engine.datasets.downloaded import DOWNLOADABLES, Downloadable, IdxFiles, load_downloaded
from engine.datasets.images import ImageSet
from engine.errors import InputError
from engine.events import Preparing

TRAIN, TEST = 20, 6


class Server(ThreadingHTTPServer):
    """Answers with the bytes in `files`; of those in `held` it sends half, then waits for `go_on`."""

    daemon_threads = False

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.held: set[str] = set()
        self.cut: set[str] = set()
        self.asked: list[str] = []
        self.go_on = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away in the middle is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        name = self.path.lstrip("/")
        self.server.asked.append(name)
        if name not in self.server.files:
            self.send_error(404)
            return
        data = self.server.files[name]
        half = len(data) // 2
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[:half])
        self.wfile.flush()
        if name in self.server.held:
            self.server.go_on.wait(20)
        if name not in self.server.cut:
            self.wfile.write(data[half:])

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as served:
        thread = threading.Thread(target=served.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield served
        served.go_on.set()
        served.shutdown()
        thread.join()


def finish(loading: Loading) -> Dataset:
    return watch(loading)[1]


def watch(loading: Loading) -> tuple[list[Preparing], Dataset]:
    """A loading's progress and its dataset."""

    def kept() -> Loading:
        dataset = yield from loading
        done.append(dataset)
        return dataset

    done: list[Dataset] = []
    return list(kept()), done[0]


def refused(loading: Loading) -> InputError:
    """The error that a loading ends in."""
    with pytest.raises(InputError) as caught:
        finish(loading)
    assert caught.value.field.startswith("dataset")
    return caught.value


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def image_set(*, shape: tuple[int, int, int] = (1, 5, 4), classes: int = 4) -> ImageSet:
    return ImageSet(
        name="small",
        label="Small set",
        shape=shape,
        classes=tuple("abcdefghij"[:classes]),
        mean=(0.5,) * shape[0],
        std=(0.25,) * shape[0],
        train_size=TRAIN,
        test_size=TEST,
        drawable=False,
    )


def random_split(images: ImageSet, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    shape = (count, *images.shape)
    return torch.randint(0, 256, shape, dtype=torch.uint8), torch.randint(0, len(images.classes), (count,))


def packed_idx(values: torch.Tensor) -> bytes:
    shape = tuple(values.shape)
    data = bytes(values.to(torch.uint8).flatten().tolist())
    return gzip.compress(struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape) + data, mtime=0)


NAMES = ("train-x", "train-y", "test-x", "test-y")


class Small:
    """Four made-up IDX files on the server and the dataset they make."""

    def __init__(self, server: Server) -> None:
        images = image_set()
        self.train, self.test = random_split(images, TRAIN), random_split(images, TEST)
        self.contents: dict[str, bytes] = {}
        for (x, y), names in zip((self.train, self.test), (NAMES[:2], NAMES[2:]), strict=True):
            self.contents |= {f"{names[0]}.gz": packed_idx(x[:, 0]), f"{names[1]}.gz": packed_idx(y)}
        server.files |= self.contents
        self.item = Downloadable(
            images=images,
            summary="",
            files=IdxFiles(images=images, folder=PurePosixPath("Small/raw"), names=NAMES),
            sources=tuple,
        )
        self.sources = tuple(
            Source(urls=(server.url(name),), md5=md5(data), path=PurePosixPath("Small/raw", name))
            for name, data in self.contents.items()
        )

    def load(self, folder: Path, *more: Path, **params: int) -> Loading:
        return load_downloaded(self.item, {"validation": 3, **params}, sources=self.sources, folders=(*more, folder))

    def check(self, dataset: Dataset) -> None:
        assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (TRAIN - 3, 3, TEST)
        assert torch.equal(torch.cat((dataset.train.inputs, dataset.validation.inputs)), self.train[0])
        assert torch.equal(torch.cat((dataset.train.targets, dataset.validation.targets)), self.train[1])
        assert torch.equal(dataset.test.inputs, self.test[0])
        assert torch.equal(dataset.test.targets, self.test[1])


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.fixture
def small(server: Server) -> Small:
    return Small(server)


class TestDownload:
    def test_it_is_downloaded_once_and_then_found(self, server: Server, small: Small, tmp_path: Path) -> None:
        folder = tmp_path / "data"
        events, dataset = watch(small.load(folder))
        small.check(dataset)
        assert any(event.what == "Downloading Small set, file 1 of 4" for event in events)
        assert files_in(folder) == sorted(f"Small/raw/{name}" for name in small.contents)
        assert len(server.asked) == 4
        small.check(finish(small.load(folder)))
        assert len(server.asked) == 4

    def test_only_what_is_missing_is_downloaded(self, server: Server, small: Small, tmp_path: Path) -> None:
        finish(small.load(tmp_path))
        (tmp_path / "Small/raw/test-y.gz").unlink()
        server.asked.clear()
        small.check(finish(small.load(tmp_path)))
        assert server.asked == ["test-y.gz"]

    def test_a_local_copy_needs_no_network(self, server: Server, small: Small, tmp_path: Path) -> None:
        own, cache = tmp_path / "own", tmp_path / "cache"
        (own / "Small/raw").mkdir(parents=True)
        for name, data in small.contents.items():
            # torchvision leaves the files unpacked beside the packed ones.
            (own / "Small/raw" / name.removesuffix(".gz")).write_bytes(gzip.decompress(data))
        small.check(finish(small.load(cache, own)))
        assert server.asked == []
        assert not cache.exists()

    def test_progress_tells_the_share(self, server: Server, small: Small, tmp_path: Path) -> None:
        server.held.add("train-x.gz")
        loading = small.load(tmp_path)
        shares = []
        for event in loading:
            shares.append(event.done)
            if event.done == pytest.approx(0.5, abs=0.01):
                break
        assert shares[0] is None
        server.go_on.set()
        small.check(finish(loading))

    def test_cancelling_midway_leaves_nothing(self, server: Server, small: Small, tmp_path: Path) -> None:
        server.held.add("train-x.gz")
        loading = small.load(tmp_path)
        for event in loading:
            if event.done:
                break
        assert [name for name in files_in(tmp_path) if name.endswith(".part")]
        loading.close()
        assert files_in(tmp_path) == []

    def test_cancelling_before_the_server_answers(self, tmp_path: Path) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
            source = Source(urls=(url,), md5="", path=PurePosixPath("x"))
            loading = download(source, tmp_path, label="X", what="Downloading X")
            assert [next(loading).done for _ in range(3)] == [None] * 3
            loading.close()
        assert files_in(tmp_path) == []

    def test_the_next_mirror_is_tried(self, server: Server, tmp_path: Path) -> None:
        server.files |= {"bad": b"something else", "good": b"the file"}
        urls = tuple(server.url(name) for name in ("gone", "bad", "good"))
        source = Source(urls=urls, md5=md5(b"the file"), path=PurePosixPath("deep/file"))
        assert list(download(source, tmp_path, label="X", what="Downloading X"))
        assert (tmp_path / "deep/file").read_bytes() == b"the file"
        assert server.asked == ["gone", "bad", "good"]

    def test_leftovers_of_a_killed_program_are_removed(self, server: Server, small: Small, tmp_path: Path) -> None:
        raw = tmp_path / "Small/raw"
        raw.mkdir(parents=True)
        old, young = raw / ".train-x.gz.abc.part", raw / ".train-x.gz.xyz.part"
        for path in (old, young):
            path.touch()
        os.utime(old, (0, 0))
        finish(small.load(tmp_path))
        assert not old.exists()
        assert young.exists()
        assert server.asked


class TestTrouble:
    def test_a_wrong_checksum(self, server: Server, small: Small, tmp_path: Path) -> None:
        server.files["train-y.gz"] = b"a captive portal's page"
        error = refused(small.load(tmp_path))
        assert "train-y.gz arrived damaged" in error.problem
        assert files_in(tmp_path) == ["Small/raw/train-x.gz"]

    def test_a_connection_that_is_cut(self, server: Server, small: Small, tmp_path: Path) -> None:
        server.cut.add("train-x.gz")
        assert "connection was cut after" in refused(small.load(tmp_path)).problem
        assert files_in(tmp_path) == []

    def test_a_file_the_server_does_not_have(self, server: Server, small: Small, tmp_path: Path) -> None:
        del server.files["train-x.gz"]
        assert "the server answered 404" in refused(small.load(tmp_path)).problem

    def test_no_network(self, small: Small, tmp_path: Path) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as listening:
            port = listening.getsockname()[1]
        small.sources = (
            Source(urls=(f"http://127.0.0.1:{port}/x",), md5="", path=PurePosixPath("Small/raw/train-x.gz")),
        )
        error = refused(small.load(tmp_path))
        assert error.problem.startswith("Small set could not be downloaded: no network")
        assert str(tmp_path / "Small/raw") in error.accepted
        assert "pick mnist" in error.accepted
        assert files_in(tmp_path) == []

    def test_an_answer_without_end(
        self, server: Server, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("engine.datasets.download.MOST_BYTES", 10)
        assert "larger than" in refused(small.load(tmp_path)).problem
        assert files_in(tmp_path) == []
        assert server.asked == ["train-x.gz"]

    def test_a_folder_that_cannot_be_made(self, small: Small, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        error = refused(small.load(tmp_path / "file" / "cache"))
        assert "could not be saved" in error.problem
        assert "LEARNSCOPE_HOME" in error.accepted

    def test_a_folder_that_cannot_be_written_to(
        self, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

        monkeypatch.setattr(tempfile, "mkstemp", refuse)
        assert refused(small.load(tmp_path)).problem.endswith("Read-only file system")

    def test_a_full_disk(self, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(_: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "fsync", full)
        error = refused(small.load(tmp_path))
        assert error.problem.endswith("No space left on device")
        assert "make room" in error.accepted
        assert files_in(tmp_path) == []

    @pytest.mark.parametrize(
        ("data", "problem"),
        [
            (b"", "is empty"),
            (b"junk", "not a gzip file"),
            (packed_idx(torch.zeros(TRAIN + 1)), "21 values where 20"),
            (packed_idx(torch.full((TRAIN,), 4)), "outside its classes"),
        ],
    )
    def test_a_damaged_local_file_is_named(self, small: Small, tmp_path: Path, data: bytes, problem: str) -> None:
        finish(small.load(tmp_path))
        (tmp_path / "Small/raw/train-y.gz").write_bytes(data)
        error = refused(small.load(tmp_path))
        assert "train-y" in error.problem
        assert problem in error.problem
        assert error.accepted == "delete it, and it is downloaded again"

    def test_settings_are_checked_before_anything_is_downloaded(
        self, server: Server, small: Small, tmp_path: Path
    ) -> None:
        assert refused(small.load(tmp_path, validation=11)).field == "dataset.validation"
        assert server.asked == []


def zipped(contents: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in contents.items():
            archive.writestr(f"gzip/{name}", data)
    return buffer.getvalue()


class TestEmnist:
    """Its particulars: one zip for all, images stored column by column, letters counted from 1."""

    def item(self) -> Downloadable:
        images = image_set(shape=(1, 4, 4))
        files = IdxFiles(
            images=images,
            folder=PurePosixPath("EMNIST/raw"),
            names=NAMES,
            archive="gzip.zip",
            transposed=True,
            first_label=1,
        )
        return Downloadable(images=images, summary="", files=files, sources=tuple)

    def test_images_are_turned_and_labels_count_from_0(self, server: Server, tmp_path: Path) -> None:
        item = self.item()
        (x, y), (test_x, test_y) = (random_split(item.images, count) for count in (TRAIN, TEST))
        arrays = (x[:, 0].transpose(1, 2), y + 1, test_x[:, 0].transpose(1, 2), test_y + 1)
        contents = {f"{name}.gz": packed_idx(array) for name, array in zip(NAMES, arrays, strict=True)}
        data = zipped(contents)
        server.files["gzip.zip"] = data
        source = Source(urls=(server.url("gzip.zip"),), md5=md5(data), path=PurePosixPath("EMNIST/raw/gzip.zip"))
        dataset = finish(load_downloaded(item, {"validation": 0}, sources=(source,), folders=(tmp_path,)))
        assert torch.equal(dataset.train.inputs, x)
        assert torch.equal(dataset.train.targets, y)
        assert torch.equal(dataset.test.targets, test_y)
        assert dataset.train.inputs.is_contiguous()

    @pytest.mark.parametrize("data", [b"", b"no zip", zipped({"other.gz": b""})])
    def test_a_damaged_archive_is_named(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "EMNIST/raw/gzip.zip"
        path.parent.mkdir(parents=True)
        path.write_bytes(data)
        with pytest.raises(InputError, match=r"gzip\.zip is damaged"):
            finish(load_downloaded(self.item(), {"validation": 0}, sources=(), folders=(tmp_path,)))


class TestCifar:
    def item(self) -> Downloadable:
        images = image_set(shape=(3, 4, 4), classes=10)
        return Downloadable(images=images, summary="", files=CifarFiles(images), sources=tuple)

    def batches(self, x: torch.Tensor, y: torch.Tensor, count: int) -> list[bytes]:
        records = torch.cat((y.to(torch.uint8).unsqueeze(1), x.reshape(len(x), -1)), dim=1)
        return [bytes(part.flatten().tolist()) for part in records.chunk(count)]

    def archive(self, contents: dict[str, bytes]) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
            # Nothing in an archive may reach outside of it; such names are only passed over.
            for name, data in {"../outside": b"x", "/etc/outside": b"x", **contents}.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return buffer.getvalue()

    @pytest.fixture
    def contents(self) -> tuple[Dataset, dict[str, bytes]]:
        item = self.item()
        (x, y), (test_x, test_y) = (random_split(item.images, count) for count in (TRAIN, TEST))
        files = [*self.batches(test_x, test_y, 1), *self.batches(x, y, 5)]
        names = [f"{FOLDER}/{name}" for name in (TEST_BATCH, *TRAIN_BATCHES)]
        dataset = item.images.dataset({"validation": 0}, train=Samples(x, y), test=Samples(test_x, test_y))
        return dataset, dict(zip(names, files, strict=True))

    def load(self, folder: Path, *sources: Source) -> Dataset:
        return finish(load_downloaded(self.item(), {"validation": 0}, sources=sources, folders=(folder,)))

    def check(self, found: Dataset, expected: Dataset) -> None:
        assert torch.equal(found.train.inputs, expected.train.inputs)
        assert torch.equal(found.train.targets, expected.train.targets)
        assert torch.equal(found.test.inputs, expected.test.inputs)
        assert torch.equal(found.test.targets, expected.test.targets)

    def test_the_archive_is_read_in_memory(
        self, server: Server, tmp_path: Path, contents: tuple[Dataset, dict[str, bytes]]
    ) -> None:
        data = self.archive(contents[1])
        server.files[ARCHIVE] = data
        source = Source(urls=(server.url(ARCHIVE),), md5=md5(data), path=PurePosixPath(ARCHIVE))
        self.check(self.load(tmp_path / "data", source), contents[0])
        assert files_in(tmp_path / "data") == [ARCHIVE]

    def test_the_unpacked_folder_is_read(self, tmp_path: Path, contents: tuple[Dataset, dict[str, bytes]]) -> None:
        (tmp_path / FOLDER).mkdir()
        for name, data in contents[1].items():
            (tmp_path / name).write_bytes(data)
        self.check(self.load(tmp_path), contents[0])
        (tmp_path / FOLDER / TEST_BATCH).write_bytes(b"")
        with pytest.raises(InputError, match=r"test_batch\.bin has 0 bytes where 294 are expected"):
            self.load(tmp_path)

    def test_damage_is_named(self, tmp_path: Path, contents: tuple[Dataset, dict[str, bytes]]) -> None:
        whole = self.archive(contents[1])
        lacking = {name: data for name, data in contents[1].items() if "batch_3" not in name}
        wrong = {name: b"\x0a" + data[1:] for name, data in contents[1].items()}
        for data, problem in (
            (b"", "is damaged"),
            (b"junk", "is damaged"),
            (whole[: len(whole) // 2], "is damaged"),
            (whole[:-8] + bytes(8), "is damaged"),
            (self.archive(lacking), r"has no data_batch_3\.bin"),
            (self.archive(wrong), "label 10"),
        ):
            (tmp_path / ARCHIVE).write_bytes(data)
            with pytest.raises(InputError, match=problem) as caught:
                self.load(tmp_path)
            assert str(tmp_path) in caught.value.problem


class TestSources:
    """What is asked for is what torchvision asks for."""

    def test_every_source_is_complete(self) -> None:
        for item in DOWNLOADABLES:
            for source in item.sources():
                assert all(url.startswith(("http://", "https://")) for url in source.urls)
                assert all(url.endswith(("/" + source.path.name, "/gzip.zip")) for url in source.urls)
                assert len(source.md5) == 32

    def test_classes_are_torchvisions(self) -> None:
        from torchvision import datasets

        names = {item.images.name: list(item.images.classes) for item in DOWNLOADABLES}
        assert names["fashion_mnist"] == datasets.FashionMNIST.classes
        assert names["kmnist"] == datasets.KMNIST.classes
        assert names["emnist_letters"] == datasets.EMNIST.classes_split_dict["letters"][1:]
        assert names["emnist_balanced"] == datasets.EMNIST.classes_split_dict["balanced"]

    def test_where_copies_are_looked_for(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, learnscope_home: Path
    ) -> None:
        assert data_folders() == (learnscope_home / "cache" / "datasets",)
        monkeypatch.setenv("LEARNSCOPE_DATA", str(tmp_path))
        assert data_folders() == (tmp_path, cache_folder())
        monkeypatch.delenv("LEARNSCOPE_HOME")
        assert cache_folder().parts[-2:] == ("learnscope", "datasets")

    def test_an_entry_finds_its_local_copy(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """KMNIST's files, empty ones, in torchvision's layout: found, read, refused for what they are."""
        raw = tmp_path / "KMNIST" / "raw"
        raw.mkdir(parents=True)
        for stem in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
            (raw / f"{stem}-ubyte.gz").touch()
        monkeypatch.setenv("LEARNSCOPE_DATA", str(tmp_path))
        with pytest.raises(InputError, match=r"train-images-idx3-ubyte\.gz is empty"):
            finish(DATASETS["kmnist"].load({}))
