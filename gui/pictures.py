"""Picture files and images of the clipboard, as pixels for the canvas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage, QImageReader, QPainter

from engine.errors import InputError
from engine.predict import ink_of
from gui.strokes import SIDE

Pixels = NDArray[np.uint8]

FILTER = "Pictures (*.png *.jpg *.jpeg *.bmp *.gif *.webp)"
_FORMATS = frozenset({"png", "jpeg", "jpg", "bmp", "gif", "webp"})  # decoders that a stranger's file may reach
_ACCEPTED = "drop a PNG or JPEG"
_MAX_BYTES = 64 * 2**20
_MAX_PIXELS = 64_000_000  # a phone's largest photo
_WORKING_SIDE = 4 * SIDE  # larger pictures are read at this size, where the format can


def read_picture(path: Path) -> QImage:
    """The picture in the file `path`, turned upright. Raises InputError that names the file."""
    try:
        too_big = path.stat().st_size > _MAX_BYTES
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror or 'the file is out of reach'}") from None
    if too_big:
        raise _refused(path, f"is larger than {_MAX_BYTES // 2**20} MiB", "drop a smaller picture")
    reader = QImageReader(str(path))
    reader.setDecideFormatFromContent(True)
    reader.setAutoTransform(True)
    if not reader.canRead() or bytes(reader.format().data()).decode("ascii", "replace").lower() not in _FORMATS:
        raise _refused(path, "is not a picture that can be read")
    size = reader.size()
    if size.width() * size.height() > _MAX_PIXELS:
        raise _refused(path, f"has more than {_MAX_PIXELS // 1_000_000} million pixels", "drop a smaller picture")
    if size.isValid() and max(size.width(), size.height()) > _WORKING_SIDE:
        scaled = size.scaled(_WORKING_SIDE, _WORKING_SIDE, Qt.AspectRatioMode.KeepAspectRatio)
        reader.setScaledSize(scaled.expandedTo(QSize(1, 1)))
    image = reader.read()
    if image.isNull():
        raise _refused(path, "is damaged and cannot be read")
    return image


def canvas_pixels(image: QImage, *, channels: int, strokes: bool, name: str = "the picture") -> Pixels:
    """`image` as the canvas holds it: uint8 (SIDE, SIDE), or (SIDE, SIDE, 3) for three channels.

    Args:
        strokes: the picture shows a drawing. It is fitted into the square whole, and its ink becomes bright on black
            whichever way round it was. Otherwise the picture fills the square, cut at its longer sides.
        name: what to call the picture in the error.

    Raises InputError where nothing stands out in a picture of a drawing, or it has no pixels.
    """
    if image.isNull():
        raise InputError("picture", f"{name} has no pixels", _ACCEPTED)
    if strokes:
        grey = ink_of(_array(_opaque(_scaled(image, fill=False)), channels=1))
        if grey is None:
            raise InputError("picture", f"{name} shows nothing that stands out from its ground", "draw darker lines")
        canvas = np.zeros((SIDE, SIDE), dtype=np.uint8)
        top, left = (SIDE - grey.shape[0]) // 2, (SIDE - grey.shape[1]) // 2
        canvas[top : top + grey.shape[0], left : left + grey.shape[1]] = grey
        return canvas if channels == 1 else np.repeat(canvas[..., np.newaxis], channels, axis=2)
    return _array(_opaque(_scaled(image, fill=True)), channels=channels)


def _scaled(image: QImage, *, fill: bool) -> QImage:
    mode = Qt.AspectRatioMode.KeepAspectRatioByExpanding if fill else Qt.AspectRatioMode.KeepAspectRatio
    if fill:  # cut first: a strip one pixel wide would otherwise grow beyond all bounds
        side = min(image.width(), image.height())
        image = image.copy(QRect((image.width() - side) // 2, (image.height() - side) // 2, side, side))
    size = image.size().scaled(SIDE, SIDE, mode).expandedTo(QSize(1, 1))
    # Enlarged pixels stay sharp, so that a sample saved as a file comes back as that sample.
    shrinks = size.width() < image.width()
    how = Qt.TransformationMode.SmoothTransformation if shrinks else Qt.TransformationMode.FastTransformation
    return image.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, how)


def _opaque(image: QImage) -> QImage:
    """`image` without transparency: on white paper, or on black where what is to be seen is bright."""
    if not image.hasAlphaChannel():
        return image
    rgba = image.convertToFormat(QImage.Format.Format_RGBA8888)
    pixels = _pixels(rgba, depth=4).astype(np.float32)
    weight = pixels[..., 3]
    brightness = float((pixels[..., :3].mean(axis=2) * weight).sum() / max(float(weight.sum()), 1.0))
    ground = QImage(image.size(), QImage.Format.Format_RGB32)
    ground.fill(QColor(Qt.GlobalColor.black if brightness > 127 else Qt.GlobalColor.white))
    painter = QPainter(ground)
    painter.drawImage(0, 0, rgba)
    painter.end()
    return ground


def _array(image: QImage, *, channels: int) -> Pixels:
    if channels == 1:
        return _pixels(image.convertToFormat(QImage.Format.Format_Grayscale8), depth=1)[..., 0]
    return _pixels(image.convertToFormat(QImage.Format.Format_RGB888), depth=3)


def _pixels(image: QImage, *, depth: int) -> Pixels:
    """An owned uint8 (H, W, depth), since the image's memory goes with the image; its lines' padding is left out."""
    lines = np.frombuffer(image.constBits(), dtype=np.uint8).reshape(image.height(), image.bytesPerLine())
    return lines[:, : image.width() * depth].reshape(image.height(), image.width(), depth).copy()


def _refused(path: Path, problem: str, accepted: str = _ACCEPTED) -> InputError:
    return InputError("picture", f"{path.name} {problem}", accepted)
