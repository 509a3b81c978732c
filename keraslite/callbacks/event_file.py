"""Files of events that TensorBoard shows, through the package `tensorboard`."""

from __future__ import annotations

import itertools
import os
import socket
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np

_number = itertools.count()
_BUCKETS = 30


class EventFile:
    """One file of events: numbers, histograms, images and a model's graph, by step.

    Args:
        directory: of the file; TensorBoard shows it as one run.

    Raises:
        ImportError: if the package `tensorboard` is not installed.
    """

    def __init__(self, directory: Any) -> None:
        try:
            from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, types_pb2
            from tensorboard.summary.writer.record_writer import RecordWriter
        except ImportError as error:
            raise ImportError(
                "Writing for TensorBoard needs the package `tensorboard`: "
                "`pip install tensorboard`."
            ) from error
        self._proto = event_pb2, summary_pb2, tensor_pb2
        self._types = types_pb2
        path = Path(os.fspath(directory))
        path.mkdir(parents=True, exist_ok=True)
        name = f"{int(time.time())}.{socket.gethostname()}.{os.getpid()}.{next(_number)}.v2"
        self._records = RecordWriter(open(path / f"events.out.tfevents.{name}", "wb"))  # noqa: SIM115
        self._write(file_version="brain.Event:2")

    def _write(self, **fields: Any) -> None:
        event = self._proto[0].Event(wall_time=time.time(), **fields)
        self._records.write(event.SerializeToString())

    def _add(self, tag: str, plugin: str, step: int, shape: tuple[int, ...], **tensor: Any) -> None:
        _, summary, tensors = self._proto
        value = tensors.TensorProto(**tensor)
        for size in shape:
            value.tensor_shape.dim.add(size=size)
        metadata = summary.SummaryMetadata()
        metadata.plugin_data.plugin_name = plugin
        entry = summary.Summary.Value(tag=tag, tensor=value, metadata=metadata)
        self._write(step=step, summary=summary.Summary(value=[entry]))

    def scalar(self, tag: str, value: Any, step: int) -> None:
        """Add a number."""
        self._add(tag, "scalars", step, (), dtype=self._types.DT_FLOAT, float_val=[float(value)])

    def histogram(self, tag: str, values: Any, step: int) -> None:
        """Add how often values lie in each of some intervals; those that are finite count."""
        values = np.asarray(values, "float64").reshape(-1)
        counts, edges = np.histogram(values[np.isfinite(values)], _BUCKETS)
        rows = np.stack([edges[:-1], edges[1:], counts], axis=1)
        self._add(
            tag,
            "histograms",
            step,
            rows.shape,
            dtype=self._types.DT_DOUBLE,
            tensor_content=rows.astype("<f8").tobytes(),
        )

    def images(self, tag: str, images: Any, step: int) -> None:
        """Add grey images, of shape `(number, height, width)`; each is stretched to its range."""
        number, height, width = images.shape
        encoded = [str(width).encode(), str(height).encode(), *map(_png, images)]
        self._add(
            tag, "images", step, (number + 2,), dtype=self._types.DT_STRING, string_val=encoded
        )

    def graph(self, model_json: str) -> None:
        """Add the graph of a model, from what its `to_json` gives."""
        self._add(
            "keras",
            "graph_keras_model",
            0,
            (),
            dtype=self._types.DT_STRING,
            string_val=[model_json.encode()],
        )

    def flush(self) -> None:
        """Let readers see what was added."""
        self._records.flush()

    def close(self) -> None:
        self._records.close()


def _png(image: np.ndarray) -> bytes:
    """A grey image as PNG, https://www.w3.org/TR/png"""
    low, high = float(image.min()), float(image.max())
    grey = (np.nan_to_num(image - low) * (255.0 / ((high - low) or 1.0))).astype("uint8")
    height, width = grey.shape
    rows = np.pad(grey, ((0, 0), (1, 0)))  # each begins with 0: no filter

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(rows.tobytes())
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )
