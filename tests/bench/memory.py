"""Peak memory of a few steps of forgetting and of full fine-tuning, same network and batch, each in its own process.

`python -m tests.bench.memory NETWORK SIZE BATCH CHANNELS ours|low_memory|finetune` prints bytes above the imports.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import torch
from scripts.engines.arithmetic import Arithmetic
from scripts.frozen.heap import give_back
from scripts.objectives.supervised import supervised_loss
from scripts.tasks import build_network
from tests.bench.floor import ForgetStep
from tests.bench.measured import ROOT, PeakMemory, import_all

STEPS = 3
REPEATS = 3  # what the allocator holds back differs by a tenth from run to run
WAYS = ("ours", "low_memory", "finetune")


def forget_steps(network: str, size: int, batch: int, channels: int, *, low: bool) -> None:
    """Adapter on decoder and head, the rest looked up, AdamW on the adapter."""
    step = ForgetStep(network=network, size=size, batch=batch, channels=channels)
    optimizer = torch.optim.AdamW(step.student.trainable())
    for _ in range(STEPS):
        logits, taught = step.forward.logits({"retain": step.batch})
        (logits - taught).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        del logits, taught
        if low:
            give_back()


def finetuning_steps(network: str, size: int, batch: int, channels: int) -> None:
    """Every weight trained, AdamW, in the same precision and memory format."""
    arithmetic = Arithmetic(device="cpu", amp="auto", channels_last=True)
    built = build_network(name=network, spatial_dims=2, in_channels=channels, out_channels=1, seed=0)
    placed = arithmetic.place(built).train()
    loss, optimizer = supervised_loss("segmentation"), torch.optim.AdamW(placed.parameters())
    image = torch.randn(batch, channels, size, size)
    label = (torch.rand(batch, 1, size, size) > 0.5).float()
    moved = arithmetic.move({"image": image})["image"]
    for _ in range(STEPS):
        loss(arithmetic.logits(placed, moved), label).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)


def main(argv: Sequence[str]) -> None:
    """Print the peak of one way."""
    network, size, batch, channels, way = argv
    import_all()
    torch.set_num_threads(1)
    memory = PeakMemory()
    memory.start()
    shape = int(size), int(batch), int(channels)
    if way == "finetune":
        finetuning_steps(network, *shape)
    else:
        forget_steps(network, *shape, low=way == "low_memory")
    print(f"\n{memory.above()}")


def compared(*, network: str, size: int, batch: int, channels: int = 3, repeats: int = REPEATS) -> dict[str, Any]:
    """Median peak of all ways, in turns, and what ours is of full fine-tuning, without and with `low_memory`."""
    peaks: dict[str, list[int]] = {way: [] for way in WAYS}
    for _ in range(repeats):
        for way in WAYS:
            command = [sys.executable, "-m", "tests.bench.memory", network, str(size), str(batch), str(channels), way]
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=True
            )
            peaks[way].append(int(done.stdout.strip().splitlines()[-1]))
    middle = {way: statistics.median(found) for way, found in peaks.items()}
    ratios = {"ratio": middle["ours"], "ratio_low_memory": middle["low_memory"]}
    ratios = {name: peak / middle["finetune"] for name, peak in ratios.items()}
    return {"network": network, "size": size, "batch": batch, **middle, "peaks": peaks, **ratios}


if __name__ == "__main__":
    main(sys.argv[1:])
