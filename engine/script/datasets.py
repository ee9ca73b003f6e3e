"""The datasets as source: read from files, drawn, or embedded, and prepared as the network receives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import cast

from engine.catalog import Params
from engine.datasets.data import DatasetInfo
from engine.datasets.tutorials import CUBIC, EXAM_FILE, FIFTEEN_X, FIFTEEN_Y, LINE
from engine.errors import InputError
from engine.networks.network import Shape
from engine.script.layout import fill, indented, literal
from engine.script.toy import toy_source


@dataclass(frozen=True, slots=True)
class DatasetSource:
    """A dataset in a script.

    Attributes:
        code: defines `load_data`, which returns the training, validation and test set, the validation set left out
            where there is none, each as inputs and targets.
        needs: what `--data` is, for people; empty where `load_data` takes no folder.
        note: where the data comes from, for the script's head.
    """

    code: str
    needs: str = ""
    note: str = ""


def dataset_source(info: DatasetInfo, params: Params, input_shape: Shape, *, channels_last: bool) -> DatasetSource:
    """The source of the dataset `info` describes, prepared for inputs of `input_shape`.

    `channels_last`: images are laid out (N, H, W, C) in memory. Raises InputError for one that is not ours.
    """
    if info.name not in _WRITERS:
        raise InputError(
            "script",
            f"the dataset {info.name!r} comes from another package, whose code cannot be written out",
            "these can be written: " + ", ".join(_WRITERS),
        )
    source = _WRITERS[info.name](info, params)
    return DatasetSource(
        f"{source.code}\n\n\n{_prepare(info, input_shape, channels_last=channels_last)}", source.needs, source.note
    )


def _prepare(info: DatasetInfo, input_shape: Shape, *, channels_last: bool) -> str:
    """The function that makes inputs of samples, by the arithmetic of engine.datasets.prepare."""
    said, lines = [], []
    if info.is_image and info.shape != input_shape:
        # Left, right, top, bottom, as F.pad wants them.
        borders: list[int] = []
        for have, want in zip(reversed(info.shape[1:]), reversed(input_shape[1:]), strict=True):
            before = (want - have) // 2
            borders += [before, want - have - before]
        lines.append(f"samples = F.pad(samples, {tuple(borders)})")
        said.append(f"padded to {input_shape[1]}×{input_shape[2]}")
    lines.append("inputs = samples.float()")
    if info.is_image and not info.raw:
        lines[-1] = "inputs = samples.float().div_(255)"
        said.append("scaled to 0 … 1")
    change = ""
    for name, values, neutral, in_place, apart in (
        ("mean", info.mean, 0, "sub_", "-"),
        ("std", info.std, 1, "div_", "/"),
    ):
        if any(value != neutral for value in values):
            tensor = literal(tuple(values), before=f"{name} = torch.tensor(", after=")", levels=1)
            lines.append(f"{tensor[:-1]}).reshape(-1, 1, 1)" if info.is_image else tensor)
            change += f".{in_place}({name})" if info.is_image else f" {apart} {name}"
    if change:
        lines.append(f"inputs{change}" if info.is_image else f"inputs ={' inputs' + change}")
        said.append("normalised")
    if channels_last:
        lines.append("# In memory (N, H, W, C), which the network is handed as (N, C, H, W).")
        lines.append("inputs = inputs.permute(0, 2, 3, 1).contiguous()")
    lines.append("return inputs")
    what = "Pixels" if info.is_image else "Coordinates"
    docstring = f"{what}, {', '.join(said)}: the network's inputs." if said else f"{what} as they are."
    return f'def prepare(samples):\n    """{docstring}"""\n{indented(chr(10).join(lines))}'


_READ_IDX = '''
    def read_idx(path):
        """The array in an IDX file: a header that says its shape, then a byte a value."""
        with gzip.open(path) as file:
            data = bytearray(file.read())
        # Two zero bytes, the type, the number of dimensions, and each of them as 4 bytes.
        start = 4 + 4 * data[3]
        sizes = struct.unpack(f">{data[3]}I", data[4:start])
        return torch.frombuffer(data, dtype=torch.uint8, offset=start).reshape(sizes)
'''

_SPLIT = """
    # The last images are kept out of training, to tell learning from memorising.
    train = prepare(images[:-$validation]), labels[:-$validation]
    validation = prepare(images[-$validation:]), labels[-$validation:]
    test = prepare(test_images), test_labels
    return train, validation, test
"""
_NO_SPLIT = "return (prepare(images), labels), (prepare(test_images), test_labels)"


def _image_loader(read: str, params: Params) -> str:
    """`load_data` for images; `read` gives images and labels of the files."""
    validation = cast("int", params["validation"])
    splits = "Training, validation and test set" if validation else "Training and test set"
    ending = fill(_SPLIT, validation=validation) if validation else _NO_SPLIT
    return fill(
        '''
        def load_data(folder):
            """$splits, each as inputs and targets."""
        $read
        $ending
        ''',
        splits=splits,
        read=indented(fill(read)),
        ending=indented(ending),
    )


def _mnist(_info: DatasetInfo, params: Params) -> DatasetSource:
    read = """
        images = read_idx(folder / "train-images-idx3-ubyte.gz").unsqueeze(1)
        labels = read_idx(folder / "train-labels-idx1-ubyte.gz").long()
        test_images = read_idx(folder / "t10k-images-idx3-ubyte.gz").unsqueeze(1)
        test_labels = read_idx(folder / "t10k-labels-idx1-ubyte.gz").long()
    """
    note = """
        --data names the folder with the four files of MNIST, such as
        train-images-idx3-ubyte.gz. torchvision downloads them into data/MNIST/raw:

            from torchvision.datasets import MNIST
            MNIST("data", download=True)
    """
    code = f"{fill(_READ_IDX)}\n\n\n{_image_loader(read, params)}"
    return DatasetSource(code, "folder with the four files of MNIST", fill(note))


def _torchvision(name: str, read: str, *, size: str) -> Callable[[DatasetInfo, Params], DatasetSource]:
    def write(info: DatasetInfo, params: Params) -> DatasetSource:
        note = (
            f"--data names a folder of torchvision's, into which {info.label} is downloaded\n"
            f"where it is not there yet ({size})."
        )
        return DatasetSource(_image_loader(fill(read, name=name), params), f"folder for {info.label}", note)

    return write


_GREY = """
    train = datasets.$name(folder, train=True, download=True)
    test = datasets.$name(folder, train=False, download=True)
    images, labels = train.data.unsqueeze(1), train.targets
    test_images, test_labels = test.data.unsqueeze(1), test.targets
"""
_EMNIST = """
    train = datasets.EMNIST(folder, split="$name", train=True, download=True)
    test = datasets.EMNIST(folder, split="$name", train=False, download=True)
    # EMNIST's files hold their images column by column.
    images = train.data.transpose(1, 2).unsqueeze(1).contiguous()
    test_images = test.data.transpose(1, 2).unsqueeze(1).contiguous()
"""
_FROM_ZERO = "    labels, test_labels = train.targets, test.targets\n"
_FROM_ONE = "    labels, test_labels = train.targets - 1, test.targets - 1  # they count from 1\n"
_CIFAR = """
    train = datasets.$name(folder, train=True, download=True)
    test = datasets.$name(folder, train=False, download=True)
    # (N, H, W, C) becomes (N, C, H, W).
    images = torch.from_numpy(train.data).permute(0, 3, 1, 2).contiguous()
    labels = torch.tensor(train.targets)
    test_images = torch.from_numpy(test.data).permute(0, 3, 1, 2).contiguous()
    test_labels = torch.tensor(test.targets)
"""


def _two_patterns(_info: DatasetInfo, params: Params) -> DatasetSource:
    code = fill(
        '''
        def load_data():
            """Training and test set: patterns A and B, from dark to bright."""
            a = torch.zeros(4, 4)
            a[:, 1::2] = 1  # columns 2 and 4
            b = a.clone()
            b[[0, -1]] = 1  # the first and last row as well

            def both(intensities):
                """A at each of these intensities, then B at each of them."""
                patterns = torch.stack((a, b)).unsqueeze(1)
                images = patterns * intensities.reshape(1, -1, 1, 1)
                labels = torch.arange(2).repeat_interleave(len(intensities))
                return prepare(images.reshape(-1, 1, 4, 4)), labels

            return both(torch.arange($count).float()), both(torch.tensor([$test]))
        ''',
        count=params["intensities"],
        test=repr(float(cast("int", params["test_intensity"]))),
    )
    return DatasetSource(code)


def _points(body: str, **values: object) -> DatasetSource:
    """`load_data` for points that are trained and tested on alike; `body` gives samples and targets."""
    code = fill(
        '''
        def load_data():
            """Training and test set, which are the same points here."""
        $body
            points = prepare(samples), targets
            return points, points
        ''',
        body=indented(fill(body, **values)),
    )
    return DatasetSource(code)


def _fifteen(_info: DatasetInfo, _params: Params) -> DatasetSource:
    body = """
        $x
        $y
        samples = torch.tensor(x).unsqueeze(1)
        targets = torch.tensor(y).unsqueeze(1)
    """
    return _points(
        body,
        x=literal(FIFTEEN_X, before="x = ", levels=1),
        y=literal(FIFTEEN_Y, before="y = ", levels=1),
    )


def _cubic(_info: DatasetInfo, _params: Params) -> DatasetSource:
    a, b, c, d = map(repr, CUBIC)
    body = """
        # Computed in double precision, then rounded.
        x = np.arange(-3, 3.1, 0.1)
        y = $a + $b * x + $c * x**2 + $d * x**3
        samples = torch.from_numpy(np.stack([x, x**2, x**3], axis=1))
        targets = torch.from_numpy(y).float().unsqueeze(1)
    """
    return _points(body, a=a, b=b, c=c, d=d)


def _line(_info: DatasetInfo, params: Params) -> DatasetSource:
    body = """
        generator = torch.Generator().manual_seed($seed)
        samples = torch.rand(($count, 1), generator=generator)
        targets = $slope * samples + $intercept
    """
    intercept, slope = map(repr, LINE)
    return _points(body, seed=params["data_seed"], count=params["samples"], slope=slope, intercept=intercept)


def _one(_info: DatasetInfo, _params: Params) -> DatasetSource:
    return _points("samples = torch.tensor([[1.0]])\ntargets = torch.tensor([[0.0]])")


def _exam(_info: DatasetInfo, _params: Params) -> DatasetSource:
    rows = files("assets").joinpath(EXAM_FILE).read_text(encoding="utf-8").split()
    try:
        for row in rows:
            if len([float(value) for value in row.split(",")]) != 3:
                raise ValueError
    except ValueError:
        raise InputError("dataset", f"the embedded file {EXAM_FILE} is damaged", "install Learnscope again") from None
    body = """
        rows = [line.split(",") for line in EXAM_SCORES.split()]
        samples = torch.tensor([[float(first), float(second)] for first, second, _ in rows])
        targets = torch.tensor([int(admitted) for _, _, admitted in rows])
    """
    table = "\n".join(rows)
    head = '# Scores in two exams, and whether the student was admitted.\nEXAM_SCORES = """'
    return DatasetSource(f'{head}\n{table}\n"""\n\n\n{_points(body).code}')


def _toy(info: DatasetInfo, params: Params) -> DatasetSource:
    return DatasetSource(toy_source(info, params))


_WRITERS: Mapping[str, Callable[[DatasetInfo, Params], DatasetSource]] = {
    "mnist": _mnist,
    "fashion_mnist": _torchvision("FashionMNIST", _GREY, size="31 MB"),
    "kmnist": _torchvision("KMNIST", _GREY, size="21 MB"),
    "emnist_letters": _torchvision("letters", _EMNIST + _FROM_ONE, size="562 MB"),
    "emnist_balanced": _torchvision("balanced", _EMNIST + _FROM_ZERO, size="562 MB"),
    "cifar10": _torchvision("CIFAR10", _CIFAR, size="170 MB"),
    "circles": _toy,
    "xor": _toy,
    "gaussians": _toy,
    "spirals": _toy,
    "fifteen_points": _fifteen,
    "cubic_points": _cubic,
    "line_points": _line,
    "exam_scores": _exam,
    "one_point": _one,
    "two_patterns": _two_patterns,
}

TORCHVISION = ("fashion_mnist", "kmnist", "emnist_letters", "emnist_balanced", "cifar10")
"""Those that torchvision reads and downloads."""

FOLDERS = ("mnist", *TORCHVISION)
"""Those that are read from a folder."""
