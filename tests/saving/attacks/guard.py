"""What a piece of code does to the machine: the audit hook, watched canaries, memory, settings."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import keraslite as keras
from keraslite import config as settings

MIB = 2**20
_WITH_PATH = ("open", "os.", "shutil.", "glob.", "pathlib.", "tempfile.")
_ALWAYS = (
    "subprocess.",
    "socket.",
    "urllib.",
    "ftplib.",
    "http.",
    "pickle.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.putenv",
    "os.kill",
    "ctypes.dlopen",
    "webbrowser.",
    "function.__new__",
)
_HARMLESS = ("os.scandir", "os.listdir", "os.fspath", "os.walk")

_recorders: list[Recorder] = []


def _bare(path: Any) -> bool:
    return isinstance(path, str) and os.sep not in path


class Recorder:
    """Events of the interpreter that loading a file has no reason for."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        self.found: list[str] = []
        self.known = {name.partition(".")[0] for name in sys.modules}
        self.importing = 0

    def _may_open(self, path: Any) -> bool:
        if isinstance(path, int) or path is None:
            return True
        text = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else str(path)
        return text.startswith(self.allowed)

    def event(self, name: str, args: tuple) -> None:
        if name == "import":
            if args[0].partition(".")[0] not in self.known:
                self.found.append(f"import {args[0]}")
        elif name.startswith(_ALWAYS):
            self.found.append(f"{name} {args!r:.200}")
        elif name == "exec":
            origin = getattr(args[0], "co_filename", "")
            if not origin.startswith(("/", "<frozen", "<string>", "<__array_function__")):
                self.found.append(f"exec {origin}")
        elif name in ("os.remove", "os.rmdir") and args[1] != -1:
            pass  # in a folder that is open: the canaries are watched in another way
        elif name == "open" and args[1:] == (None, os.O_RDONLY | os.O_CLOEXEC) and _bare(args[0]):
            pass  # by `rmtree`, in such a folder too
        elif name.startswith(_WITH_PATH) and name not in _HARMLESS and not self._may_open(args[0]):
            self.found.append(f"{name} {args[0]!r:.200}")


def _hook(name: str, args: tuple) -> None:
    for recorder in _recorders:
        recorder.event(name, args)


_installed = False


class Watch:
    """Whether anybody opened, read, changed or made a file in a folder; HDF5 in C too."""

    _EVENTS = 0x1 | 0x2 | 0x4 | 0x20 | 0x40 | 0x80 | 0x100 | 0x200  # access, open, create...

    def __init__(self, folder: Path) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._descriptor = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        self._libc.inotify_add_watch(self._descriptor, os.fsencode(folder), self._EVENTS)

    def touched(self) -> bool:
        try:
            return bool(os.read(self._descriptor, 65536))
        except BlockingIOError:
            return False


class Guard:
    """Checks that what runs inside `watching` does nothing to the machine.

    Args:
        folder: where the attack files are; a folder `canary` is made in it.
    """

    def __init__(self, folder: Path) -> None:
        global _installed
        self.folder = folder
        self.canary = folder / "canary"
        self.canary.mkdir()
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        tempfile.tempdir = str(self.temporary)
        self._watch = Watch(self.canary)
        # The interpreter reads sources for tracebacks and lazy modules of its own.
        own = (sys.prefix, sys.base_prefix, str(Path(keras.__file__).parent), os.devnull, "/proc")
        self.allowed = (*own, str(self.temporary), *map(os.path.realpath, own))
        if not _installed:
            sys.addaudithook(_hook)
            _installed = True

    def close(self) -> None:
        tempfile.tempdir = None

    @contextlib.contextmanager
    def watching(self, *files: Path) -> Iterator[list[str]]:
        """Yields a list; when the block ends it holds what was done that must not be."""
        problems: list[str] = []
        size = sum(f.stat().st_size for f in files)
        self._watch.touched()
        recorder = Recorder((*self.allowed, *map(str, files)))
        before = _settings()
        # What older tests left is no work of the file's: a collection would look at all of it.
        gc.freeze()
        start = time.thread_time()
        with _peak() as peak:
            _recorders.append(recorder)
            try:
                yield problems
            finally:
                _recorders.remove(recorder)
                gc.unfreeze()
        seconds = time.thread_time() - start
        problems += recorder.found
        if seconds > 1:
            problems.append(f"took {seconds:.1f} s")
        if peak[0] > 3 * size + 256 * MIB:
            problems.append(f"took {peak[0] // MIB} MiB for a file of {size:,} bytes")
        if self._watch.touched():
            problems.append("touched a canary")
        if list(self.temporary.iterdir()):
            problems.append("left temporary files")
        changed = [k for k, v in _settings().items() if before[k] != v]
        if changed:
            problems.append(f"changed {changed}")


def _settings() -> dict[str, Any]:
    """Global state that a file might want to change."""
    return {
        "flags": dict(settings._flags),
        "floatx": keras.config.floatx(),
        "format": keras.config.image_data_format(),
        "policy": keras.config.dtype_policy().name,
        "backend": keras.config.backend(),
        "registered": dict(keras.saving.get_custom_objects()),
        "environment": dict(os.environ),
        "path": list(sys.path),
        "folder": os.getcwd(),
        "seed": np.random.get_state()[1][:8].tolist(),
    }


def _status(name: str) -> int:
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(name)) * 1024


@contextlib.contextmanager
def _peak() -> Iterator[list[int]]:
    """Memory taken inside at most, in bytes; a runaway fails instead of filling the machine."""
    found = [0]
    limits = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # begin a new high-water mark
    before = _status("VmRSS")
    resource.setrlimit(resource.RLIMIT_AS, (_status("VmSize") + 2048 * MIB, limits[1]))
    try:
        yield found
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        found[0] = _status("VmHWM") - before
