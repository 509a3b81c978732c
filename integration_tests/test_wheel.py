"""The built wheel, installed and used outside the checkout."""

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

USE = """
import keraslite, numpy, sys
assert keraslite.__file__.startswith(sys.argv[1]), keraslite.__file__
model = keraslite.Sequential([keraslite.Input((3,)), keraslite.layers.Dense(2)])
model.save("model.keras")
again = keraslite.saving.load_model("model.keras")
x = numpy.ones((4, 3), "float32")
numpy.testing.assert_array_equal(model.predict(x, verbose=0), again.predict(x, verbose=0))
print(keraslite.__version__)
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
    # From a copy: setuptools leaves a `build` folder, and stale files in one get into the wheel.
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "keraslite", source / "keraslite", ignore=ignored)
    run("-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w", "dist", ".", cwd=source)
    (found,) = (source / "dist").glob("keraslite-*.whl")
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
    assert {r.split(">=")[0] for r in required} == {
        "numpy",
        "h5py",
        "optree",
        "ml-dtypes",
        "rich",
        "packaging",
    }


def test_the_wheel_works_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    run("-m", "pip", "install", "--no-deps", "--target", site, wheel, cwd=tmp_path)
    # -S: no `.pth` files, so nothing missing in the wheel comes from an editable install.
    path = os.pathsep.join([str(site), sysconfig.get_path("purelib")])
    out = run("-S", "-c", USE, site, cwd=tmp_path, PYTHONPATH=path, KERAS_BACKEND="numpy")
    assert out.strip().splitlines()[-1] == wheel.name.split("-")[1]
