"""By hand in PyTorch: `nn.Sequential`, `torch.optim.Adam` and the usual loop."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

BATCH = 32


def _model() -> torch.nn.Module:
    torch.manual_seed(0)
    nn = torch.nn
    return nn.Sequential(
        nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
    )


def epoch(x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    labels = torch.from_numpy(y).long()
    return _loop(_model(), torch.nn.CrossEntropyLoss(), torch.from_numpy(x), labels)


class _LastOfLSTM(torch.nn.LSTM):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[0][:, -1]


def lstm(x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    torch.manual_seed(0)
    model = _LastOfLSTM(x.shape[-1], y.shape[-1], batch_first=True)
    return _loop(model, torch.nn.MSELoss(), torch.from_numpy(x), torch.from_numpy(y))


def _loop(
    model: torch.nn.Module,
    criterion: Callable[..., torch.Tensor],
    inputs: torch.Tensor,
    labels: torch.Tensor,
) -> Callable[[], object]:
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)

    def run() -> float:
        total = torch.zeros(())
        order = torch.randperm(len(inputs))
        for i in range(0, len(inputs), BATCH):
            chosen = order[i : i + BATCH]
            optimizer.zero_grad()
            loss = criterion(model(inputs[chosen]), labels[chosen])
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return float(total)

    return run


def predict(x: np.ndarray) -> Callable[[], object]:
    model, inputs = _model().eval(), torch.from_numpy(x)

    def run() -> np.ndarray:
        with torch.no_grad():
            return torch.cat(
                [model(inputs[i : i + BATCH]) for i in range(0, len(x), BATCH)]
            ).numpy()

    return run


def predict_compiled(x: np.ndarray) -> Callable[[], object]:
    forward = torch.compile(_model().eval())

    def run() -> np.ndarray:
        with torch.no_grad():
            return forward(torch.from_numpy(x)).numpy()

    return run


def dense(x: np.ndarray) -> Callable[[], object]:
    w = torch.nn.Parameter(torch.randn(64, 256) / 8)
    b, x = torch.nn.Parameter(torch.zeros(256)), torch.from_numpy(x)
    return lambda: x @ w + b


def stack(x: np.ndarray) -> Callable[[], object]:
    size = x.shape[1]
    weights = [torch.nn.Parameter(torch.randn(size, size) / 8) for _ in range(10)]
    bias, x = torch.nn.Parameter(torch.zeros(size)), torch.from_numpy(x)

    def run() -> torch.Tensor:
        h = x
        for w in weights:
            h = h @ w + bias
        return h

    return run


def add(x: np.ndarray) -> Callable[[], object]:
    x = torch.from_numpy(x)
    return lambda: torch.add(x, x)
