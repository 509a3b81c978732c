"""Run pytest once per engine, two engines at a time, then the integration tests.

    python tools/run_tests.py jax torch tensorflow numpy mlx integration

Of an engine under plugins/ these are the conformance kit and its own tests. Each engine has a
process of its own, jax two, with KERAS_BACKEND set. A failure does not stop the
others. At the end stand the failed tests, each with the first line of its error (with CI=true
also with its traceback), and the sums; the exit status is 1 if anything failed.
"""

from __future__ import annotations

import dataclasses
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
INTEGRATION = "integration"
OWN = " apart"
BUDGET_MINUTES = 40
SLOWEST = 3
SHOWN = 60
PROGRESS = re.compile(r"^([.FEsxX]+) +\[ *(\d+)%\]$")

#: Folders that are a step of their own: an engine that compiles each op is long at them.
APART = {"jax": ("tests/layers", "tests/ops")}

#: These compile a program for each of thousands of tiny calls: optimizing one takes longer than
#: the time it saves. The other tests of the engine run the programs that users get.
UNOPTIMIZED = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}

# Two engines share two cores: one thread each is faster than two pools that fight.
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


@dataclasses.dataclass(frozen=True)
class Case:
    """One test: its id, `passed`, `failed` or `skipped`, and the traceback of a failure."""

    name: str
    outcome: str
    seconds: float
    traceback: str = ""

    @property
    def reason(self) -> str:
        """The first line of the error, and the second where the first says nothing."""
        lines = [line for line in self.traceback.splitlines() if line.strip()]
        marked = [line[1:].strip() for line in lines if line.startswith("E ")]
        first, *others = list(filter(None, marked)) or lines or ["no reason was given"]
        return " ".join([first, *others[: first.endswith(":")]])[:160]


@dataclasses.dataclass(frozen=True)
class Result:
    """What one run of pytest came to."""

    step: str
    seconds: float
    cases: list[Case]

    def of(self, outcome: str) -> list[Case]:
        return [case for case in self.cases if case.outcome == outcome]


# Running -------------------------------------------------------------------------------------


def run(step: str, shared: bool) -> Result:
    """Run the tests of an engine, or the integration tests; `shared`: others run beside it."""
    env = {**os.environ, **(ONE_THREAD if shared else {}), "PYTHONUNBUFFERED": "1"}
    env |= UNOPTIMIZED if step.endswith(OWN) else {}
    folders, options = what(step)
    if step != INTEGRATION:
        env["KERAS_BACKEND"] = step.removesuffix(OWN)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="keraslite-tests-") as scratch:
        report = Path(scratch, "report.xml")
        options += ["-q", "--tb=short", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
        # The old form of the report names the file of each test.
        options += [f"--junit-xml={report}", "-o", "junit_family=xunit1"]
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *folders, *options],
            cwd=ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        alarm = threading.Timer(BUDGET_MINUTES * 60, process.kill)
        alarm.start()
        output = list(follow(step, process.stdout or (), start))
        status = process.wait()
        alarm.cancel()
        cases = list(read(report)) if report.exists() else []
    # A run that broke before or beside its tests is one failure all the same.
    if status and not any(case.outcome == "failed" for case in cases):
        tail = "\n".join(["E pytest ended with status " + str(status), *output[-30:]])
        cases.append(Case(f"{folders[-1]} (the run itself)", "failed", 0.0, tail))
    result = Result(step, time.monotonic() - start, cases)
    say(step, start, f"done, {counts(result)}")
    return result


def what(step: str) -> tuple[list[str], list[str]]:
    """The folders with the tests of a step, and the options that these need."""
    if step == INTEGRATION:
        return ["integration_tests"], []
    if step.endswith(OWN):
        return list(APART[step.removesuffix(OWN)]), []
    if step in APART:
        return ["tests"], [f"--ignore={folder}" for folder in APART[step]]
    tests = Path("plugins", f"keraslite-{step}", "tests")
    if not (ROOT / tests).exists():
        return ["tests"], []
    known = ["--expected-failures", str(tests / "expected_failures.toml")]
    return ["keraslite/testing", str(tests)], known


def follow(step: str, lines: Iterable[str], start: float) -> Iterator[str]:
    """Pass on what pytest prints, and say how far it is at each tenth."""
    failed, shown = 0, 0
    for line in lines:
        found = PROGRESS.match(line.rstrip())
        if found:
            failed += sum(found[1].count(letter) for letter in "FE")
            if int(found[2]) >= shown + 10:
                shown = int(found[2])
                say(step, start, f"{shown:3d} %" + f", {failed} failed" * bool(failed))
        yield line.rstrip()


def say(step: str, start: float, text: str) -> None:
    minutes, seconds = divmod(int(time.monotonic() - start), 60)
    print(f"{step:12} {minutes:2d}:{seconds:02d}  {text}", flush=True)


def read(report: Path) -> Iterator[Case]:
    """The tests in a report of pytest."""
    for entry in ElementTree.parse(report).iter("testcase"):
        seconds, outcome, traceback = float(entry.get("time", 0)), "passed", ""
        for child in entry:
            if child.tag in ("failure", "error"):
                outcome, traceback = "failed", child.text or child.get("message") or ""
            elif child.tag == "skipped" and outcome == "passed":
                outcome = "skipped"
        yield Case(test_id(entry), outcome, seconds, traceback)


def test_id(entry: ElementTree.Element) -> str:
    """What pytest takes on its command line to run this test."""
    name, file, place = (entry.get(key, "") for key in ("name", "file", "classname"))
    if not place:  # A file that could not be collected.
        return file or name
    inside = place.removeprefix(file.removesuffix(".py").replace("/", "."))
    return "::".join([file, *inside.split(".")[1:], name])


# Reporting -----------------------------------------------------------------------------------


def counts(result: Result) -> str:
    return ", ".join(f"{len(result.of(kind))} {kind}" for kind in ("passed", "failed", "skipped"))


def show_failures(results: Iterable[Result], tracebacks: bool) -> None:
    """Each failed test once, with the engines that it failed on."""
    steps: dict[tuple[str, str], list[str]] = {}
    for result in results:
        for case in result.of("failed"):
            if tracebacks:
                print(f"\n---- {result.step}: {case.name}\n{case.traceback}")
            steps.setdefault((case.name, case.reason), []).append(result.step)
    for (name, reason), where in sorted(steps.items())[:SHOWN]:
        print(f"\nFAILED on {', '.join(where)}: {name}\n    {reason}")
    if len(steps) > SHOWN:
        print(f"\n... and {len(steps) - SHOWN} more.")
    if steps and not tracebacks:
        print("\nMore of one: KERAS_BACKEND=jax .venv/bin/python -m pytest 'NAME'")


def show_sums(results: list[Result]) -> None:
    """A line a step with its slowest tests, and the line of all."""
    print()
    for result in results:
        verdict = "FAILED" if result.of("failed") else "ok"
        print(f"{result.step:12} {verdict:6} {counts(result)}, {result.seconds:.0f} s; slowest:")
        for case in sorted(result.cases, key=lambda case: -case.seconds)[:SLOWEST]:
            print(f"{'':12} {case.seconds:6.1f} s  {case.name}")
    total = Counter(case.outcome for result in results for case in result.cases)
    sums = ", ".join(f"{total[kind]} {kind}" for kind in ("passed", "failed", "skipped"))
    print(f"total: {sums}")


def main(steps: list[str]) -> int:
    """Run `steps`, report, return the exit status."""
    if not steps:
        print(__doc__, file=sys.stderr)
        return 2
    engines = []
    for step in steps:
        if step != INTEGRATION:
            engines += [step + OWN, step] if step in APART else [step]
    workers = min(2, os.cpu_count() or 1, len(engines) or 1)
    start = time.monotonic()
    print(f"Running {', '.join(steps)}; {workers} at a time.", flush=True)
    with ThreadPoolExecutor(workers) as pool:
        results = list(pool.map(lambda engine: run(engine, workers > 1), engines))
    if INTEGRATION in steps:
        results.append(run(INTEGRATION, shared=False))

    show_failures(results, tracebacks=os.environ.get("CI", "").lower() in ("true", "1"))
    show_sums(results)
    minutes = (time.monotonic() - start) / 60
    print(f"{minutes:.1f} minutes; the budget of all is {BUDGET_MINUTES} on two cores.")
    return int(any(result.of("failed") for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
