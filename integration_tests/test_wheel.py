"""The sdist, the wheel that is built from it, and its use outside the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

DECLARED = {"numpy", "h5py", "optree", "ml_dtypes", "rich"}
# What those need in turn.
INDIRECT = {"typing_extensions", "markdown_it", "mdurl", "pygments"}

# setuptools's own hook, which installers call too.
BUILD_SDIST = "import setuptools.build_meta as backend; backend.build_sdist('dist')"

# In a folder of its own. The prediction is worked out by hand.
USE = """
import sys
from pathlib import Path

import numpy as np
import keraslite as keras

assert keras.__file__.startswith(sys.argv[1]), keras.__file__
model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, activation="relu")])
model.set_weights([np.array([[1, -1], [2, -2], [3, -3]], "float32"), np.ones(2, "float32")])
model.save("model.keras")
again = keras.models.load_model("model.keras")
found = again.predict(np.ones((4, 3), "float32"), verbose=0)
np.testing.assert_array_equal(found, [[7, 0]] * 4)
again.summary()
files = [getattr(module, "__file__", None) for module in sys.modules.values()]
inside = [Path(f).relative_to(sys.argv[2]) for f in files if f and f.startswith(sys.argv[2])]
print(*{path.parts[0].partition(".")[0] for path in inside})
print(keras.__version__)
"""


def run(*command: str | Path, cwd: Path, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel made from the sdist, as installers without a wheel do."""
    # From a copy: setuptools leaves a `build` folder, and stale files in one get into the wheel.
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "keraslite", source / "keraslite", ignore=ignored)
    run("-c", BUILD_SDIST, cwd=source)
    (sdist,) = (source / "dist").glob("keraslite-*.tar.gz")
    folder = tmp_path_factory.mktemp("wheel")
    run("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", sdist, cwd=folder)
    (found,) = folder.glob("keraslite-*.whl")
    return found


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = (n for n in archive.namelist() if n.endswith("/METADATA"))
        about = Parser().parsestr(archive.read(metadata).decode())
    kinds = {".py", ".pyi", ".typed"}
    sources = (p for p in (ROOT / "keraslite").rglob("*") if p.suffix in kinds)
    assert names == {p.relative_to(ROOT).as_posix() for p in sources}
    assert about["License-Expression"] == "Apache-2.0"
    required = [r for r in about.get_all("Requires-Dist") if "extra ==" not in r]
    assert {r.split(">=")[0].replace("-", "_") for r in required} == DECLARED


def test_the_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    run("-m", "pip", "install", "--no-deps", "--target", site, wheel, cwd=tmp_path)
    # -S: no `.pth` files, so nothing missing in the wheel comes from an editable install.
    others = sysconfig.get_path("purelib")
    path = os.pathsep.join([str(site), others])
    out = run("-S", "-c", USE, site, others, cwd=tmp_path, PYTHONPATH=path, KERAS_BACKEND="numpy")
    *_, used, version = out.splitlines()
    assert version == wheel.name.split("-")[1]
    # It ran beside all that the tests have installed, and used no more than it declares.
    assert set(used.split()) <= DECLARED | INDIRECT
