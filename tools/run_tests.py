"""Run pytest once per engine, two engines at a time, then the integration tests.

    python tools/run_tests.py jax torch tensorflow numpy integration

Each engine has a process of its own, with KERAS_BACKEND set. A failure does not stop the
others. The last line sums up; the exit status is 1 if anything failed.
"""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INTEGRATION = "integration"
BUDGET_MINUTES = 40
COUNTED = {"passed": "passed", "failed": "failed", "errors": "failed", "skipped": "skipped"}

# Two engines share two cores: one thread each is faster than two pools that fight.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


@dataclasses.dataclass
class Result:
    """What one run of pytest came to."""

    step: str
    status: int
    seconds: float
    output: str

    def count(self, what: str) -> int:
        """The number of tests that `passed`, `failed` (errors too) or were `skipped`."""
        closing = next((x for x in reversed(self.output.splitlines()) if " in " in x), "")
        found = re.findall(r"(\d+) (passed|failed|errors?|skipped)", closing)
        return sum(int(n) for n, kind in found if COUNTED.get(kind, "failed") == what)


def run(step: str, shared: bool) -> Result:
    """Run the tests of an engine, or the integration tests; `shared`: others run beside it."""
    folder = "integration_tests" if step == INTEGRATION else "tests"
    env = {**os.environ, **(ONE_THREAD if shared else {})}
    if step != INTEGRATION:
        env["KERAS_BACKEND"] = step
    command = [sys.executable, "-m", "pytest", folder, "-q", "--durations=5"]
    start = time.monotonic()
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        status = subprocess.run(
            command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        ).returncode
        log.seek(0)
        output = log.read()
    return Result(step, status, time.monotonic() - start, output)


def show(result: Result) -> None:
    """Print what pytest said."""
    print(f"\n==== {result.step}: {result.seconds:.0f} s, exit status {result.status} ====")
    print(result.output, flush=True)


def main(steps: list[str]) -> int:
    """Run `steps`, print their output and a table, return the exit status."""
    if not steps:
        print(__doc__, file=sys.stderr)
        return 2
    engines = [step for step in steps if step != INTEGRATION]
    workers = min(2, os.cpu_count() or 1, len(engines) or 1)
    start = time.monotonic()
    results = []
    print(f"Running {', '.join(steps)}; {workers} at a time.", flush=True)
    with ThreadPoolExecutor(workers) as pool:
        for done in as_completed([pool.submit(run, e, workers > 1) for e in engines]):
            results.append(done.result())
            show(results[-1])
    if INTEGRATION in steps:
        results.append(run(INTEGRATION, shared=False))
        show(results[-1])

    for r in results:
        counts = ", ".join(f"{r.count(what)} {what}" for what in ("passed", "failed", "skipped"))
        print(f"{r.step:12} {'ok' if r.status == 0 else 'FAILED':6} {counts}, {r.seconds:.0f} s")
    minutes = (time.monotonic() - start) / 60
    print(f"{minutes:.1f} minutes; the budget of all is {BUDGET_MINUTES} on two cores.")
    # A run that broke before it counted anything is one failure all the same.
    failed = sum(max(r.count("failed"), r.status != 0) for r in results)
    passed, skipped = (sum(r.count(what) for r in results) for what in ("passed", "skipped"))
    print(f"total: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
