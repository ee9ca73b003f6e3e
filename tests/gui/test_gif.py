"""Films as animated GIF files, read back with Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from engine.errors import InputError
from gui.gif import MOST_FRAMES, gif


def opened(data: bytes) -> tuple[NDArray[np.uint8], list[int], dict[str, object]]:
    """Frames uint8 (n, H, W, 3), the time of each in ms, and what the file says of itself."""
    frames, times = [], []
    with Image.open(io.BytesIO(data)) as film:
        assert film.format == "GIF"
        info = {str(key): value for key, value in film.info.items()}
        for number in range(getattr(film, "n_frames", 1)):
            film.seek(number)
            times.append(int(film.info.get("duration", 0)))
            frames.append(np.asarray(film.convert("RGB")))
    return np.stack(frames), times, info


def still(*shape: int) -> NDArray[np.uint8]:
    return np.zeros((*shape, 3), dtype=np.uint8)


def test_every_frame_keeps_its_place_size_time_and_colours() -> None:
    generator = np.random.default_rng(0)
    greys = np.arange(256, dtype=np.uint8)
    frames = np.repeat(generator.choice(greys, (7, 30, 41, 1)), 3, axis=3)
    assert len(np.unique(frames)) == 256
    read, times, info = opened(gif(frames, seconds=0.05))
    assert np.array_equal(read, frames)
    assert times == [50] * 7
    assert info["loop"] == 0


def test_the_last_frame_stays_longer() -> None:
    frames = np.stack([np.full((4, 4, 3), shade, np.uint8) for shade in (0, 100, 200)])
    assert opened(gif(frames, seconds=0.1, hold=1.5))[1] == [100, 100, 1600]


def test_a_still_frame_takes_as_long_as_it_would() -> None:
    frames = np.stack([np.full((4, 4, 3), shade, np.uint8) for shade in (0, 0, 0, 9)])
    read, times, _ = opened(gif(frames, seconds=0.1))
    assert sum(times) == 400
    assert read[0].max() == 0
    assert read[-1].min() == 9


@pytest.mark.parametrize("colours", [300, 60_000])
def test_of_many_colours_the_ground_stays_and_the_others_come_near(colours: int) -> None:
    generator = np.random.default_rng(1)
    frames = np.full((4, 160, 160, 3), (27, 31, 38), np.uint8)
    # A strip of smooth shades, other ones in each frame.
    shades = generator.integers(60, 60 + round(colours ** (1 / 3)) + 1, (4, 100, 160, 3))
    frames[:, 60:] = np.minimum(shades, 255)
    frames[:, 50:60] = generator.integers(24, 42, (4, 10, 160, 3))  # what is like it must not tint it
    frames[:, 55, :80] = (33, 35, 30)  # nor a thin line
    read, _, _ = opened(gif(frames, seconds=0.05))
    assert (read[:, :50] == (27, 31, 38)).all()
    assert (read[:, 55, :80] == (33, 35, 30)).all()
    assert np.abs(read[:, 60:].astype(int) - frames[:, 60:]).mean() < 3


def test_one_frame_of_one_pixel_is_a_film() -> None:
    read, _, _ = opened(gif(np.full((1, 1, 1, 3), 77, np.uint8), seconds=0.05))
    assert read.tolist() == [[[[77, 77, 77]]]]


@pytest.mark.parametrize(
    ("frames", "seconds", "hold", "problem"),
    [
        (still(0, 4, 4), 0.05, 0.0, "0 frames"),
        (still(MOST_FRAMES + 1, 1, 1), 0.05, 0.0, "1001 frames"),
        (still(2, 4), 0.05, 0.0, "no film"),
        (still(2, 0, 4), 0.05, 0.0, "4×0 pixels"),
        (still(2, 5_000, 1), 0.05, 0.0, "1×5000 pixels"),
        (np.broadcast_to(np.uint8(0), (1_000, 4_000, 4_000, 3)), 0.05, 0.0, "1000 frames of 4000×4000"),
        (still(2, 4, 4).astype(np.float32), 0.05, 0.0, "float32"),
        (still(2, 4, 4), 0.0, 0.0, "0 s a frame"),
        (still(2, 4, 4), float("nan"), 0.0, "nan s a frame"),
        (still(2, 4, 4), 0.05, -1.0, "-1 s"),
    ],
)
def test_what_is_no_film_is_refused_in_words(
    frames: NDArray[np.uint8], seconds: float, hold: float, problem: str
) -> None:
    with pytest.raises(InputError, match=problem) as refused:
        gif(frames, seconds=seconds, hold=hold)
    assert refused.value.field == "film"
    assert refused.value.accepted
