"""How far a forgetting step is from what its multiplications would take at the machine's best rate."""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from scripts.engines.arithmetic import Arithmetic
from scripts.engines.forward import Forward
from scripts.frozen.cache import FrozenCache
from scripts.student.adapter import AdapterStudent
from scripts.tasks import build_network
from torch.utils.flop_counter import FlopCounterMode

SIDE = 2048  # of the square matrices: large enough for the best rate, small enough for a second


def matmul_rate(*, bf16: bool, repeats: int = 5) -> float:
    """Best floating-point operations a CPU second of a square product."""
    a = torch.randn(SIDE, SIDE, dtype=torch.bfloat16 if bf16 else torch.float32)
    best = float("inf")
    for _ in range(repeats + 1):
        start = time.process_time()
        torch.mm(a, a)
        best = min(best, time.process_time() - start)
    return 2 * SIDE**3 / best


class ForgetStep:
    """Forward and backward of one batch through the trainable part, the rest looked up.

    Args:
        cached: whether frozen features are kept; else the teacher and the whole student are run.
        adapters: "composed" runs W + BA; "apart" runs W, A and B one after the other.
    """

    def __init__(
        self,
        *,
        network: str,
        size: int,
        batch: int,
        channels: int = 3,
        scope: str = "decoder+head",
        cached: bool = True,
        bf16: bool = True,
        channels_last: bool = True,
        adapters: str = "composed",
    ) -> None:
        torch.manual_seed(0)
        self.arithmetic = Arithmetic(device="cpu", amp=bf16, channels_last=channels_last)
        built = build_network(name=network, spatial_dims=2, in_channels=channels, out_channels=1, seed=0).eval()
        teacher = self.arithmetic.place(built)
        # A dropout of nearly nothing is what keeps the three convolutions apart.
        dropout = 0.0 if adapters == "composed" else 1e-9
        sample = torch.zeros(1, channels, size, size)
        self.student = AdapterStudent.attach(
            teacher, scope=scope, rank=8, alpha=32.0, dropout=dropout, sample=sample, seed=0
        ).train()
        self._folder = TemporaryDirectory()
        cache = FrozenCache(folder=Path(self._folder.name), megabytes=4000 if cached else 0)
        self.forward = Forward(arithmetic=self.arithmetic, student=self.student.network, teacher=teacher, cache=cache)
        batch_ = {"image": torch.randn(batch, channels, size, size)}
        self.batch = self.arithmetic.move(
            {**batch_, "image_id": [str(i) for i in range(batch)], "view": ["plain"] * batch}
        )

    def __call__(self) -> None:
        """One step without the optimiser."""
        logits, taught = self.forward.logits({"retain": self.batch})
        (logits - taught).square().mean().backward()
        for parameter in self.student.trainable():
            parameter.grad = None

    def seconds(self, repeats: int) -> list[float]:
        """CPU seconds of steps after the first, which fills the cache."""
        self()
        found = []
        for _ in range(repeats):
            start = time.process_time()
            self()
            found.append(time.process_time() - start)
        return found

    def operations(self) -> int:
        """Floating-point operations of a step, counted as they are made."""
        self()
        with FlopCounterMode(display=False) as counter:
            self()
        return int(counter.get_total_flops())


def distance(*, network: str, size: int, batch: int, repeats: int = 5, channels: int = 3) -> dict[str, Any]:
    """Measured step over `operations / rate`."""
    step = ForgetStep(network=network, size=size, batch=batch, channels=channels)
    bf16 = step.arithmetic.amp
    rate, operations = matmul_rate(bf16=bf16), step.operations()
    measured = statistics.median(step.seconds(repeats))
    return {
        "network": network,
        "size": size,
        "batch": batch,
        "bf16": bf16,
        "matmul_operations_per_second": rate,
        "operations": operations,
        "floor_seconds": operations / rate,
        "step_seconds": measured,
        "step_over_floor": measured / (operations / rate),
    }


def levers(*, network: str, size: int, batch: int, repeats: int = 5, channels: int = 3) -> dict[str, float]:
    """CPU seconds of a step with nothing done, and with each lever added to those before it."""
    plain = {"cached": False, "bf16": False, "channels_last": False, "adapters": "apart", "scope": "all"}
    added = [
        {"scope": "decoder+head"},
        {"cached": True},
        {"adapters": "composed"},
        {"channels_last": True},
        {"bf16": True},
    ]
    found: dict[str, float] = {}
    settings: dict[str, Any] = dict(plain)
    for lever in ({}, *added):
        settings |= lever
        step = ForgetStep(network=network, size=size, batch=batch, channels=channels, **settings)
        found[next(iter(lever), "nothing")] = statistics.median(step.seconds(repeats))
    return found
