"""Retraining, the released schedule, fine-tuning on retain and ours, side by side: `python -m tests.bench [--quick]`.

Prints and writes docs/results/speed.json. UNLEARN_DATA names the folder of the real data sets.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from tests.bench import floor, memory
from tests.bench.cases import WORK, Case, chase, isic, phantom
from tests.bench.contenders import CONTENDERS, outcome, passes, result, steps
from tests.bench.measured import measured
from tests.bench.scaling import scaling
from tests.studies import common

CASES: dict[str, Callable[[int], Case | None]] = {"phantom": phantom, "chase": chase, "isic": isic}
RESNET = {"network": "flexible_unet_resnet34", "size": 256, "batch": 8}
PHANTOM_STEP = {"network": "unet_half", "size": 64, "batch": 16, "channels": 1}


def cpu_name() -> str:
    """Model of the processor."""
    path = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in path.read_text().splitlines() if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {len(names)} virtual cores"


def repeats_of(case: Case, count: int, folder: Path, *, epochs: int) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Cost and outcome of every contender, `count` times, in turns: what slows the machine slows all of them."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
    # Ours before the released schedule, which stops where ours did; the retrained model before all, as the yardstick.
    for repeat in range(count):
        retrained = result("retrain", folder / "retrain_0")
        goal = None
        for name in ("retrain", "ours", "released", "finetune", "fold_start", "prepared"):
            own = folder / f"{name}_{repeat}"
            cost = measured(steps(name, case, own, goal=goal, epochs=epochs))
            if name == "ours":
                goal = common.read(own / "private" / "state.json")["forget"]["progress"]
            reached = outcome(case, own / "outcome", result(name, own), retrained)
            if name in ("ours", "released"):
                cost["progress"] = common.read(own / "private" / "state.json")["forget"]["progress"]
                cost["rounds"] = common.read(own / "private" / "state.json")["forget"]["rounds"]
                cost["phases"] = common.read(own / "release" / "timing.json")
            found[name].append({**cost, "outcome": reached})
            print(f"{case.name} {name} {repeat + 1}/{count}: {cost['cpu_seconds']:.1f} CPU s", flush=True)
        yield found


def summary(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Medians, spread and ratios."""
    rows: dict[str, Any] = {}
    for name, found in runs.items():
        rows[name] = {
            measure: {
                "median": statistics.median(run[measure] for run in found),
                "low": min(run[measure] for run in found),
                "high": max(run[measure] for run in found),
            }
            for measure in ("cpu_seconds", "wall_seconds", "peak_memory_bytes", "import_cpu_seconds")
        }
        rows[name]["outcome"] = found[0]["outcome"]
        rows[name]["repeats"] = len(found)
        for key in ("progress", "rounds", "phases"):
            if key in found[0]:
                rows[name][key] = found[0][key]
    cost = {name: row["cpu_seconds"]["median"] for name, row in rows.items()}
    ratios = {
        f"{name}_over_{base}": seconds / cost[base]
        for base in ("ours", "prepared")
        if base in cost
        for name, seconds in cost.items()
        if name != base
    }
    peaks = {name: row["peak_memory_bytes"]["median"] for name, row in rows.items()}
    return {"contenders": rows, "ratios": ratios, "memory_ours_over_finetune": peaks["ours"] / peaks["finetune"]}


def show(name: str, found: Mapping[str, Any]) -> None:
    """A table of one data set."""
    print(f"\n{name:>12}     CPU s (low-high)    wall s memory MB      FF  forget  retain   valid.   test")
    for contender, row in found["contenders"].items():
        cpu, reached = row["cpu_seconds"], row["outcome"]
        values = next(
            value for key, value in reached.items() if isinstance(value, Mapping) and not key.endswith("_teacher")
        )
        fraction = reached["forgotten_fraction"]
        print(
            f"{contender:>12} {cpu['median']:9.1f} ({cpu['low']:.1f}-{cpu['high']:.1f})"
            f" {row['wall_seconds']['median']:9.1f} {row['peak_memory_bytes']['median'] / 1e6:9.0f}"
            f"   {'-' if fraction is None else f'{fraction:5.2f}'}  "
            + "".join(f"{values.get(part, float('nan')):8.3f}" for part in ("forget", "retain", "validation", "test"))
        )
    print(
        "ratios",
        {key: round(value, 2) for key, value in found["ratios"].items()},
        f"memory {found['memory_ours_over_finetune']:.2f}",
        f"bound of retrain_over_ours {found['passes']['bound']:.0f}",
    )


def main(argv: Sequence[str] | None = None) -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument(
        "--quick", action="store_true", help="the phantom alone, once, fewer epochs of the released schedule"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--datasets", nargs="*", choices=tuple(CASES), default=list(CASES))
    parser.add_argument(
        "--no-machine", dest="machine", action="store_false", help="neither floor nor levers nor scaling"
    )
    parser.add_argument("--out", default="speed")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    count = 1 if arguments.quick else arguments.repeats
    names = ["phantom"] if arguments.quick else arguments.datasets
    found: dict[str, Any] = {
        "cpu": cpu_name(),
        "torch": torch.__version__,
        "quick": arguments.quick,
        "datasets": {},
        "floor": {},
    }
    path = common.RESULTS / f"{arguments.out}.json"
    members = {"phantom": 1 if arguments.quick else 3, "chase": 2, "isic": 3}
    for name in names:
        case = CASES[name](members[name])
        if case is None:
            print(f"{name}: no data; UNLEARN_DATA names the folder that holds it")
            continue
        pool = case.prepare()
        laid_out = case.lay_out()
        folder = WORK / "runs" / name
        shutil.rmtree(folder, ignore_errors=True)
        epochs = 10 if arguments.quick else case.released_epochs
        extra = {
            "pool_cpu_seconds": pool,
            "lay_out_cpu_seconds": laid_out,
            "released_epochs_at_most": epochs,
            "passes": passes(case),
        }
        for runs in repeats_of(case, count, folder, epochs=epochs):
            found["datasets"][name] = {**summary(runs), **extra}
            common.save(arguments.out, found)
        show(name, found["datasets"][name])
    if not arguments.machine:
        print(f"\nwritten: {path.relative_to(common.ROOT)}")
        return
    found["floor"]["resnet34_256"] = floor.distance(**RESNET, repeats=2 if arguments.quick else 5)
    found["memory"] = memory.compared(**RESNET, repeats=min(count, memory.REPEATS))
    found["floor"]["phantom"] = floor.distance(**PHANTOM_STEP, repeats=9)
    found["levers"] = {"phantom": floor.levers(**PHANTOM_STEP, repeats=5)}
    if not arguments.quick:
        found["levers"]["resnet34_256"] = floor.levers(**RESNET, repeats=3)
    folder = WORK / "runs" / "scaling"
    shutil.rmtree(folder, ignore_errors=True)
    found["scaling"] = scaling((1, 2) if arguments.quick else (1, 2, 4, 8), repeats=count, folder=folder)
    for key in ("floor", "levers", "memory", "scaling"):
        print(f"\n{key}: {common.rounded(found[key])}")
    common.save(arguments.out, found)
    print(f"\nwritten: {path.relative_to(common.ROOT)}")


if __name__ == "__main__":
    main()
