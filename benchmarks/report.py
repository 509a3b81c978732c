"""Rows of figures, as a table for people and JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import statistics
from pathlib import Path

from benchmarks.measure import ratio


@dataclasses.dataclass
class Row:
    """One figure.

    Attributes:
        what: what is measured.
        unit: "us", "ms" or "s" for one `per`; else the numbers are no times.
        seconds: contender -> seconds of each round.
        per: how many of the thing one round holds.
        limits: contender -> the highest ratio of keraslite to it that we promise.
    """

    what: str
    unit: str
    seconds: dict[str, list[float]]
    per: int = 1
    limits: dict[str, float] = dataclasses.field(default_factory=dict)

    def value(self, name: str) -> float:
        scale = {"us": 1e6, "ms": 1e3, "s": 1.0}.get(self.unit, 1.0)
        return statistics.median(self.seconds[name]) / self.per * scale

    def ratios(self) -> dict[str, float]:
        ours = self.seconds["keraslite"]
        return {n: ratio(ours, s) for n, s in self.seconds.items() if n != "keraslite"}


def as_json(rows: list[Row], engine: str) -> dict[str, object]:
    return {
        "engine": engine,
        "rows": [
            {
                "what": row.what,
                "unit": row.unit,
                "medians": {name: row.value(name) for name in row.seconds},
                "ratios": row.ratios(),
                "limits": row.limits,
            }
            for row in rows
        ],
    }


def show(rows: list[Row], engine: str, path: Path | None) -> None:
    """Print a table; also write JSON when a path is given."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{engine}: keraslite in the same run as its rivals (medians)")
    table.add_column("what")
    for column in ("keraslite", "by hand", "keras", "x by hand", "x keras"):
        table.add_column(column, justify="right")
    for row in rows:
        ratios = row.ratios()
        cells = [f"{row.what} [{row.unit}]"]
        cells += [
            f"{row.value(n):,.1f}" if n in row.seconds else "-"
            for n in ("keraslite", "by hand", "keras")
        ]
        for name in ("by hand", "keras"):
            limit = row.limits.get(name)
            if name not in ratios:
                cells.append("-")
            elif limit is None:
                cells.append(f"{ratios[name]:.2f}")
            else:
                colour = "green" if ratios[name] <= limit else "red"
                cells.append(f"[{colour}]{ratios[name]:.2f}[/] (<= {limit:g})")
        table.add_row(*cells)
    Console(width=120).print(table)
    if path is not None:
        path.write_text(json.dumps(as_json(rows, engine), indent=2) + "\n")
