"""Archives and HDF5 files that ask for more than a model needs, by class of attack.

`HDF5` changes a good file of weights in place; `ARCHIVES` makes a bad archive of a good one.
"""

from __future__ import annotations

import io
import json
import struct
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from keraslite.saving import seal
from tests.saving.attacks.configs import PLACES, _layer, _object, calls_in_calls, sequential

#: The kernels of the good model: what is found at the last one must be found before the first
#: one is assigned.
FIRST, LAST = (3, 4), (4, 2)


# HDF5 -----------------------------------------------------------------------------------------


class At(NamedTuple):
    """Where a layout has a kernel, and its shape; and the folder of canaries."""

    group: str
    name: str
    canary: Path
    shape: tuple[int, ...]

    @classmethod
    def array(cls, file: h5py.File, canary: Path, shape: tuple[int, ...]) -> At:
        """The first array of that shape."""
        found: list[str] = []
        file.visititems(
            lambda name, item: found.append(name) if getattr(item, "shape", 0) == shape else None
        )
        group, _, name = found[0].rpartition("/")
        return cls(group, name, canary, shape)

    @property
    def kernel(self) -> str:
        return f"{self.group}/{self.name}"


Change = Callable[[h5py.File, At], None]


def _kernel(make: Callable[[h5py.Group, At], Any]) -> Change:
    """Put something else in the place of the first kernel."""

    def change(file: h5py.File, at: At) -> None:
        del file[at.kernel]
        make(file[at.group], at)

    return change


def _data(value: Any, **options: Any) -> Change:
    return _kernel(lambda group, at: group.create_dataset(at.name, data=value, **options))


def _full(value: Any, **options: Any) -> Change:
    """An array of the right shape."""
    kind = object if isinstance(value, str) else None

    def make(group: h5py.Group, at: At) -> None:
        group.create_dataset(at.name, data=np.full(at.shape, value, kind), **options)

    return _kernel(make)


def _declared(shape: tuple[int, ...] | None, dtype: Any = "float32", **options: Any) -> Change:
    """An array without data; without a shape it has the right one."""
    return _kernel(
        lambda group, at: group.create_dataset(at.name, shape or at.shape, dtype, **options)
    )


def _link(make: Callable[[At], Any], level: int | None = None) -> Change:
    """A link in the place of the kernel, or of one of the first groups on the way there."""

    def change(file: h5py.File, at: At) -> None:
        where = "/".join(at.kernel.split("/")[:level])
        del file[where]
        file[where] = make(at)

    return change


def _virtual(source: Callable[[Path], str]) -> Change:
    def make(group: h5py.Group, at: At) -> None:
        layout = h5py.VirtualLayout(at.shape, "float32")
        layout[:] = h5py.VirtualSource(source(at.canary), "d", at.shape)
        group.create_virtual_dataset(at.name, layout)

    return _kernel(make)


def _external(shape: tuple[int, ...] | None = None) -> Change:
    def make(group: h5py.Group, at: At) -> None:
        files = [(str(at.canary / "secret"), 0, h5py.h5f.UNLIMITED)]
        group.create_dataset(at.name, shape or at.shape, "float32", external=files)

    return _kernel(make)


def _attribute(name: str, value: Any) -> Change:
    return lambda file, at: file[at.kernel].attrs.__setitem__(name, value)


def _cycle(file: h5py.File, at: At) -> None:
    file[f"{at.group}/again"] = file[at.group]


def _deep(file: h5py.File, at: At) -> None:
    group = file[at.group]
    for _ in range(600):
        group = group.create_group("g")


def _filter(number: int) -> Change:
    def make(group: h5py.Group, at: At) -> None:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk(at.shape)
        plan.set_filter(number, h5py.h5z.FLAG_OPTIONAL, ())
        space, kind = h5py.h5s.create_simple(at.shape), h5py.h5t.NATIVE_FLOAT
        h5py.h5d.create(group.id, at.name.encode(), kind, space, plan)

    return _kernel(make)


def _other(at: At) -> str:
    return str(at.canary / "other.h5")


_TEXT = h5py.string_dtype()
HDF5: dict[str, Change] = {
    "CVE-2026-1669 external storage": _external(),
    "CVE-2026-1669 external storage, huge": _external((10**6, 10**6)),
    "CVE-2026-1669 external link": _link(lambda at: h5py.ExternalLink(_other(at), "/d")),
    "CVE-2026-1669 external link to a group": _link(
        lambda at: h5py.ExternalLink(_other(at), "/"), -1
    ),
    "CVE-2026-1669 external link at the top": _link(
        lambda at: h5py.ExternalLink(_other(at), "/"), 1
    ),
    "CVE-2026-1669 soft link": _link(lambda at: h5py.SoftLink("/")),
    "CVE-2026-1669 dangling link": _link(lambda at: h5py.SoftLink("/nowhere")),
    "CVE-2026-1669 link to itself": _link(lambda at: h5py.SoftLink(f"/{at.kernel}")),
    "CVE-2026-12480 virtual dataset": _virtual(lambda c: str(c / "other.h5")),
    "CVE-2026-12480 virtual dataset of this file": _virtual(lambda c: "."),
    "CVE-2026-0897 huge in chunks": _declared((10**6, 10**6), chunks=(1000, 1000)),
    "CVE-2026-0897 huge in one": _declared((10**9,)),
    "CVE-2026-0897 below 4 GiB": _declared((500_000_000,), "uint8", chunks=(10**6,)),
    "CVE-2026-0897 of many axes": _declared((8,) * 12, chunks=(1,) * 12),
    "CVE-2026-0897 long texts": _declared((10**5,), "S100000", chunks=(1,)),
    "CVE-2026-0897 compressed": _data(np.zeros((8000, 4000), "float32"), compression=9),
    "A15 texts": _full("a", dtype=_TEXT),
    "A15 arrays": _data(
        np.array([np.ones(2), np.ones(3)], object), dtype=h5py.vlen_dtype(np.dtype("float32"))
    ),
    "A15 references": _declared(None, h5py.ref_dtype),
    "A15 references to regions": _declared(None, h5py.regionref_dtype),
    "A15 records": _declared(None, np.dtype([("a", "f4"), ("b", "i4")])),
    "A15 records with texts": _declared(None, np.dtype([("a", _TEXT)])),
    "A15 arrays in each element": _declared(None, np.dtype(("f4", (3,)))),
    "A15 bytes of no type": _declared(None, "V4"),
    "A15 complex numbers": _full(1j),
    "A25 a named type": _kernel(lambda group, at: group.__setitem__(at.name, np.dtype("float32"))),
    "A25 a foreign filter": _filter(32099),
    "A25 a group in a cycle": _cycle,
    "A25 a group for an array": _kernel(lambda group, at: group.create_group(at.name)),
    "A25 an array for a group": _link(lambda at: np.ones(3), 1),
    "A25 nothing": _kernel(lambda group, at: group.create_dataset(at.name, dtype="float32")),
    "A25 a scalar": _data(1.0),
    "A25 text": _full(b"aaaa"),
    "A25 deep groups": _deep,
    "A25 a text": _data("text"),
    "A25 other shape": _data(np.ones((4, 3), "float32")),
    "A25 no kernel": _kernel(lambda group, at: None),
    "A25 dtype that is none": _attribute("dtype", "object"),
    "A25 dtype of another size": _attribute("dtype", "float64"),
    "A25 dtype that is a number": _attribute("dtype", 3),
    "A25 dtype of a megabyte": _attribute("dtype", "x" * 60_000),
    "A25 checksum that is text": _attribute("crc32", "x"),
    "A25 checksum that is many": _attribute("crc32", np.arange(8)),
    "A25 checksum that is wrong": _attribute("crc32", 1),
}

#: Good bytes of an HDF5 file -> bad ones.
BYTES: dict[str, Callable[[bytes], bytes]] = {
    "A25 empty": lambda data: b"",
    "A25 no HDF5": lambda data: b"hello" * 100,
    "A25 signature alone": lambda data: data[:8],
    "A25 half": lambda data: data[: len(data) // 2],
    "A25 zeros in front": lambda data: bytes(2000) + data,
    "A25 zeros inside": lambda data: data[:96] + bytes(512) + data[608:],
    "A25 a zip file": lambda data: _zip({"a": b"b"}),
}


def _changed(data: bytes, change: Callable[[h5py.File], None]) -> bytes:
    file = io.BytesIO(data)
    with h5py.File(file, "r+", libver="latest") as root:
        change(root)
    return file.getvalue()


def _repeated(data: bytes) -> bytes:
    """Short lists of names that say the same layer and array again and again."""

    def change(file: h5py.File) -> None:
        layers = file["model_weights"]
        name = next(n for n in layers if len(layers[n].attrs["weight_names"])).encode()
        names = [b"/" * n + name for n in range(100)] + [name] * 400
        layers.attrs["layer_names"] = np.array(names)
        arrays = layers[name.decode()].attrs
        arrays["weight_names"] = np.array([arrays["weight_names"][0]] * 1000)

    return _changed(data, change)


def _aliased(data: bytes) -> bytes:
    """Names that are all the same long text: few bytes that are many when they are read."""
    long, short, count = struct.pack("<I", 30_000), struct.pack("<I", 5), 4000
    names = np.array(["A" * 30_000, *(f"{n:05d}" for n in range(count))], object)

    def change(file: h5py.File) -> None:
        file["model_weights"].attrs.create("layer_names", names, dtype=_TEXT)

    content = bytearray(_changed(data, change))
    place = content.find(long)
    while content[place + 16 : place + 20] != short:
        place = content.find(long, place + 1)
    content[place : place + 16 * (count + 1)] = content[place : place + 16] * (count + 1)
    return bytes(content)


#: The same for the format of Keras 2 alone.
LEGACY: dict[str, Callable[[bytes], bytes]] = {
    "A12 names again and again": _repeated,
    "A12 names that are one long text": _aliased,
}


# Archives -------------------------------------------------------------------------------------


def _zip(members: dict[str, bytes], *more: tuple[Any, bytes], **options: Any) -> bytes:
    target = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", **options) as archive:
        warnings.simplefilter("ignore")  # of duplicate names
        for name, data in (*members.items(), *more):
            archive.writestr(name, data)
    return target.getvalue()


def _with(*more: tuple[Any, bytes]) -> Callable[[dict[str, bytes]], bytes]:
    return lambda good: _zip(good, *more)


def _put(**members: Any) -> Callable[[dict[str, bytes]], bytes]:
    names = {
        "config": "config.json",
        "metadata": "metadata.json",
        "weights": "model.weights.h5",
    }

    def make(good: dict[str, bytes]) -> bytes:
        new = {
            names[k]: v if isinstance(v, bytes) else json.dumps(v).encode()
            for k, v in members.items()
        }
        return _zip({**good, **new}, compression=zipfile.ZIP_DEFLATED)

    return make


def _bomb(*sizes: int, method: int = zipfile.ZIP_DEFLATED) -> Callable[[dict[str, bytes]], bytes]:
    members = {f"assets/{i}": bytes(size) for i, size in enumerate(sizes)}
    return lambda good: _zip({**good, **members}, compression=method)


def _patched(
    signature: bytes, offset: int, value: bytes, member: bytes | None = None
) -> Callable[[dict[str, bytes]], bytes]:
    """Overwrite a field of the headers of all members, or of one."""

    def make(good: dict[str, bytes]) -> bytes:
        data = bytearray(_zip(good))
        at = data.find(signature)
        while at >= 0:
            if member is None or member in data[at : at + 80]:
                data[at + offset : at + offset + len(value)] = value
            at = data.find(signature, at + 4)
        return bytes(data)

    return make


_CENTRAL = b"PK\x01\x02"


def _spread(sizes: int, claim: int) -> Callable[[dict[str, bytes]], bytes]:
    """A bomb whose members also claim to be stored in more bytes than there are."""

    def make(good: dict[str, bytes]) -> bytes:
        data = bytearray(_bomb(*[8 * 2**20] * sizes)(good))
        at = data.find(_CENTRAL)
        while at >= 0:
            if data[at + 46 : at + 53] == b"assets/":
                data[at + 20 : at + 24] = struct.pack("<I", claim)
            at = data.find(_CENTRAL, at + 4)
        return bytes(data)

    return make


def _link_member(good: dict[str, bytes]) -> bytes:
    info = zipfile.ZipInfo("assets/link")
    info.create_system, info.external_attr = 3, 0o120777 << 16
    return _zip(good, (info, b"/etc/hostname"))


def _beyond(good: dict[str, bytes]) -> bytes:
    """Weights that claim to be longer than the file, below a seal that is right."""
    names = [n for n in good if n != "model.weights.h5"]
    small = _zip({"model.weights.h5": good["model.weights.h5"], **{n: good[n] for n in names}})
    size = struct.pack("<I", len(good["model.weights.h5"]))
    file = io.BytesIO(small.replace(size * 2, struct.pack("<I", 60 * 2**20) * 2))
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = seal.BLANK.encode()
    seal.seal(file)
    return file.getvalue()


def _lookup(**members: bytes) -> Callable[[dict[str, bytes]], bytes]:
    """A model whose only layer reads a vocabulary from the archive."""
    config = PLACES["layer"](_layer("StringLookup"))
    config["config"]["layers"][0]["config"]["dtype"] = "string"
    text = json.dumps(config).encode()
    folder = "assets/layers/string_lookup/"

    def make(good: dict[str, bytes]) -> bytes:
        own = {folder + k.replace("__", "."): v for k, v in members.items()}
        return _zip({**good, "config.json": text, **own}, compression=zipfile.ZIP_DEFLATED)

    return make


_NAMES = ("../out", "/out", "assets/../../out", "..\\out", "C:\\out", "C:out", "~/out", "//x/out")
ARCHIVES: dict[str, Callable[[dict[str, bytes]], bytes]] = {
    **{f"CVE-2025-12060 member {name}": _with((name, b"x")) for name in _NAMES},
    "CVE-2026-12479 asset of a layer named ..": _with(("assets/layers/../x", b"x")),
    "A13 a link": _link_member,
    "A13 config twice, by a zero": _with(("config.json\0x", b"{}")),
    "A13 a name that a terminal obeys": _with(("../\x1b]0;x\x07\u202e", b"{}")),
    "A13 config twice": _with(("config.json", b"{}")),
    "A13 weights twice": _with(("model.weights.h5", b"x")),
    "A13 metadata twice": _with(("metadata.json", b"{}")),
    "A13 all encrypted": _patched(_CENTRAL, 8, b"\x01"),
    "A13 weights encrypted": _patched(_CENTRAL, 8, b"\x01", b"model.weights.h5"),
    "A13 unknown compression": _patched(_CENTRAL, 10, b"\x61\x00"),
    "A13 another name inside": _patched(b"PK\x03\x04", 30, b"x"),
    "A13 members on each other": _patched(_CENTRAL, 42, bytes(4)),
    "A12 one bomb": _bomb(80 * 2**20),
    "A12 many bombs": _bomb(*[2**20] * 70),
    "A12 bombs in bzip2": _bomb(*[10 * 2**20] * 8, method=zipfile.ZIP_BZIP2),
    "A12 bombs that lie": _spread(10, 2**24),
    "A12 many members": _patched(b"PK\x05\x06", 12, struct.pack("<I", 5 * 2**20)),
    "A12 weights": _put(weights=bytes(80 * 2**20)),
    "A12 config": _put(config=b'{"a": "' + b" " * (40 * 2**20) + b'"}'),
    "A12 config of many values": _put(config=b"[" + b"[]," * (3 * 2**20) + b"[]]"),
    "A12 metadata of many values": _put(metadata=b"[" + b"{}," * (3 * 2**20) + b"[]]"),
    "A12 config in wide letters": _put(
        config=b'{"a": "\xf0\x9f\x90\x8d' + b" " * (31 * 2**20) + b'"}'
    ),
    "A12 weights beyond the file": _beyond,
    "A12 vocabulary": _lookup(vocabulary__txt=b"\n" * (30 * 2**20)),
    "A16 deep config": _put(config=b"[" * 60_000 + b"]" * 60_000),
    "A16 deep objects": _put(config=b'{"a":' * 400 + b"1" + b"}" * 400),
    "A16 deep metadata": _put(metadata=b"[" * 60_000 + b"]" * 60_000),
    "A16 vocabulary that is no text": _lookup(vocabulary__txt=b"\xff\xfe\x00"),
    "A16 config that is no text": _put(config=b"\xff\xfe{}"),
    "A16 config that is no JSON": _put(config=b"hello"),
    "A16 long number": _put(config=b'{"class_name": ' + b"1" * 10_000 + b"}"),
    **{
        f"A16 config {value!r}": _put(config=value)
        for value in ([1], "text", 3, None, {}, {"class_name": "Sequential"}, {"config": {}})
    },
    "A23 sharded weights": lambda good: _zip(
        {k: v for k, v in good.items() if k != "model.weights.h5"},
        ("model.weights.json", b'{"weight_map": {"layers/dense/vars/0": "../../secret"}}'),
    ),
    "A24 a newer file": _put(metadata={"keras_version": "9.0.0"}),
    "A15 weights as npz": lambda good: _zip(
        {k: v for k, v in good.items() if k != "model.weights.h5"}, ("model.weights.npz", b"x")
    ),
    "A25 no weights": lambda good: _zip({"config.json": good["config.json"]}),
    "A25 no config": lambda good: _zip({"model.weights.h5": good["model.weights.h5"]}),
    "A25 half": lambda good: _zip(good)[:900],
    "A25 no end": lambda good: _zip(good)[:-30],
}


# Other formats ---------------------------------------------------------------------------------


def safetensors(header: Any, data: bytes = b"", length: int | None = None) -> bytes:
    """A safetensors file; `length` is what it claims of its header."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def _tensors(**entries: Any) -> bytes:
    return safetensors({k.replace("__", "/"): v for k, v in entries.items()}, bytes(64))


def _tensor(dtype: Any = "F32", shape: Any = (3, 4), offsets: Any = (0, 48), **more: Any) -> Any:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


SAFETENSORS: dict[str, bytes] = {
    "A10 a huge tensor": _tensors(a=_tensor(shape=[10**6, 10**6], offsets=[0, 4 * 10**12])),
    "A10 a tensor of no end": _tensors(a=_tensor(shape=[2**60, 2**60], offsets=[0, 48])),
    "A10 beyond the file": _tensors(a=_tensor(offsets=[10**9, 10**9 + 48])),
    "A10 before the file": _tensors(a=_tensor(offsets=[-48, 0])),
    "A10 on each other": _tensors(a=_tensor(), b=_tensor()),
    "A10 with a hole": _tensors(a=_tensor(), b=_tensor(shape=[1], offsets=[60, 64])),
    "A10 negative": _tensors(a=_tensor(shape=[-3, -4])),
    "A10 of floats": _tensors(a=_tensor(shape=[3.0, 4.0])),
    "A15 of objects": _tensors(a=_tensor(dtype="O")),
    "A15 of a type that is a list": _tensors(a=_tensor(dtype=["F32"])),
    "A25 an entry that is text": _tensors(a="text"),
    "A25 an entry with more": _tensors(a=_tensor(path="/etc/hostname")),
    "A25 no entries": safetensors([]),
    "A25 metadata": safetensors({"__metadata__": [1]}),
    "A25 metadata of numbers": safetensors({"__metadata__": {"config": 3}}),
    "A25 checksums": safetensors({"__metadata__": {"crc32": "["}}),
    "A25 empty": b"",
    "A25 no text": safetensors(b"\xff\xfe{}"),
    "A12 a header beyond the file": safetensors({}, length=2**40),
    "A12 a negative header": safetensors({}, length=2**64 - 1),
    "A12 many values": safetensors(b"[" + b"[]," * (3 * 2**20) + b"[]]"),
    "A25 an entry twice": safetensors(
        b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, '
        b'"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}',
        bytes(8),
    ),
    "A16 a name that a terminal obeys": _tensors(**{"\x1b]0;x\x07": _tensor(dtype="O")}),
    "A16 deep": safetensors(b"[" * 60_000 + b"]" * 60_000),
    "A16 long": _tensors(**{"a" * 10**6: _tensor()}),
}

#: What an index of several files says.
SHARDS: dict[str, bytes] = {
    name: json.dumps(value).encode() if not isinstance(value, bytes) else value
    for name, value in {
        "A23 another folder": {"weight_map": {"/layers": ["../canary/other.weights.h5"]}},
        "A23 the root": {"weight_map": {"/layers": ["/etc/x.weights.h5"]}},
        "A23 an address": {"weight_map": {"/layers": ["https://canary.invalid/x.weights.h5"]}},
        "A23 another kind": {"weight_map": {"/layers": ["other.h5"]}},
        "A23 a number": {"weight_map": {"/layers": [3]}},
        "A23 a text": {"weight_map": "x"},
        "A23 a list": {"weight_map": ["x.weights.h5"]},
        "A23 another folder, as Windows writes it": {
            "weight_map": {"/layers": ["..\\canary\\other.weights.h5"]}
        },
        "A23 a name with a zero": {"weight_map": {"/layers": ["x\0.weights.h5"]}},
        "A23 a name that a terminal obeys": {"weight_map": {"/layers": ["\x1b]0;x.h5"]}},
        "A23 staged elsewhere": {
            "metadata": {"staged": "../canary/other"},
            "weight_map": {"/layers": ["bad_00000.weights.h5"]},
        },
        "A23 metadata that is a list": {
            "metadata": [1],
            "weight_map": {"/layers": ["bad_00000.weights.h5"]},
        },
        "A23 nothing": {"weight_map": {}},
        "A23 no map": {},
        "A16 deep": b"[" * 60_000 + b"]" * 60_000,
        "A16 no text": b"\xff\xfe{}",
        "A12 many values": b"[" + b"[]," * (3 * 2**20) + b"[]]",
    }.items()
}


# Sizes ------------------------------------------------------------------------------------------

_BIG = 10**9


def _with_shape(shape: list[int | None], layer: Any) -> Any:
    model = sequential([layer])
    model["config"]["layers"][0]["config"]["batch_shape"] = shape
    return model


def _with_metric(name: str, **config: Any) -> Any:
    form = _object("keras.metrics", name, config)
    compiled = {"optimizer": "sgd", "loss": "mse", "metrics": [form]}
    return sequential([_layer("Dense", units=2)], compile_config=compiled)


#: Layers, and whole models, that take memory or time which the file does not account for.
SIZES: dict[str, Any] = {
    "A11 units": _layer("Dense", units=_BIG),
    "A11 units beyond numbers": _layer("Dense", units=10**30),
    "A11 units, a few": _layer("Dense", units=10**8),
    "A11 built": {**_layer("Dense", units=9), "build_config": {"input_shape": [None, _BIG]}},
    "A11 embedding": _layer("Embedding", input_dim=_BIG, output_dim=64),
    "A11 recurrent": _layer("TimeDistributed", layer=_layer("Dense", units=_BIG)),
    "A11 normalization": {
        **_layer("LayerNormalization"),
        "build_config": {"input_shape": [None, _BIG]},
    },
    "A11 repeated": _layer("RepeatVector", n=_BIG),
    "A11 padded": _layer("TimeDistributed", layer=_layer("RepeatVector", n=_BIG)),
    "A11 enlarged": _layer("UpSampling1D", size=_BIG),
    "A11 lookup": _layer("StringLookup", vocabulary=["a"] * 10 + ["b" * 10**6]),
    "A11 padded tokens": _layer(
        "StringLookup", vocabulary=[f"{i}" for i in range(5_000)] + ["b" * 10**6]
    ),
    "A11 unknown tokens": _layer("StringLookup", vocabulary=["a"], num_oov_indices=_BIG),
    "A11 calls in calls": calls_in_calls(30),
    "A11 thresholds": _with_metric("AUC", num_thresholds=_BIG),
    "A11 thresholds of a level": _with_metric("PrecisionAtRecall", recall=0.5, num_thresholds=_BIG),
    "A11 classes, as numbers": _with_metric("MeanIoU", num_classes=_BIG),
    "A11 classes": _with_metric("MeanIoU", num_classes=10**5),
    "A11 frames": _with_shape([None, 800, 1], _layer("STFTSpectrogram", frame_length=_BIG)),
    "A11 frequencies": _with_shape([None, 800, 1], _layer("STFTSpectrogram", fft_length=_BIG)),
    "A11 input": {
        **_layer("InputLayer", batch_shape=[_BIG, _BIG]),
    },
}
