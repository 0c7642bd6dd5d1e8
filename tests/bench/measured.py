"""One contender, once, in a process of its own: `python -m tests.bench.measured '{"steps": [...]}'` prints JSON.

Imports are made before the clock starts and are reported apart; memory counts above what they take.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def anonymous_bytes() -> int:
    """Memory of this process that is not mapped from a file; Linux."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("/proc/self/status has no RssAnon")


class PeakMemory(threading.Thread):
    """Looks at the memory fifty times a second; mapped files, which the system may drop at any time, do not count."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.base = self.peak = anonymous_bytes()
        self._ended = threading.Event()

    def run(self) -> None:
        """Look until `above` is asked."""
        while not self._ended.wait(0.02):
            self.peak = max(self.peak, anonymous_bytes())

    def above(self) -> int:
        """End; bytes above the start."""
        self._ended.set()
        self.join()
        return max(self.peak, anonymous_bytes()) - self.base


def import_all() -> float:
    """Import what the workflows use; CPU seconds."""
    start = time.process_time()
    for name in ("torch", "monai.bundle", "monai.engines", "peft", "tensorboard", "scripts"):
        importlib.import_module(name)
    package = importlib.import_module("scripts")
    for found in pkgutil.walk_packages(package.__path__, prefix="scripts."):
        importlib.import_module(found.name)
    importlib.import_module("torch.utils.tensorboard")
    return time.process_time() - start


def run_step(workflow: str, settings: Mapping[str, Any], weights: str | None) -> None:
    """Run a workflow; `weights` are put into its network first (fine-tuning)."""
    import torch
    from monai.bundle import ConfigWorkflow
    from tests.studies.common import known

    own = known(workflow, {"bundle_root": str(ROOT), "progress": False, "threads": 1, **settings})
    path = str(ROOT / "configs" / f"{workflow}.yaml")
    run_id = "single" if workflow == "train" else "run"
    made = ConfigWorkflow(config_file=[path], workflow_type=None, run_id=run_id, logging_file=False, **own)
    made.initialize()
    if weights is not None:
        made.parser.get_parsed_content("network").load_state_dict(torch.load(weights, weights_only=True))
    made.run()
    made.finalize()


def main(argv: Sequence[str]) -> None:
    """Run the steps of the specification and print what they cost."""
    steps = json.loads(argv[0])["steps"]
    imports = import_all()
    import torch

    torch.set_num_threads(1)
    memory = PeakMemory()
    memory.start()
    wall, cpu = time.perf_counter(), time.process_time()
    parts = []
    for step in steps:
        before = time.process_time()
        run_step(step["workflow"], step["settings"], step.get("weights"))
        parts.append({"workflow": step["workflow"], "cpu_seconds": time.process_time() - before})
    found = {
        "cpu_seconds": time.process_time() - cpu,
        "wall_seconds": time.perf_counter() - wall,
        "peak_memory_bytes": memory.above(),
        "import_cpu_seconds": imports,
        "parts": parts,
    }
    print("\n" + json.dumps(found))


def measured(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Run `main` in a new process.

    Raises:
        RuntimeError: it failed; the end of what it printed is in the message.
    """
    command = [sys.executable, "-m", "tests.bench.measured", json.dumps({"steps": list(steps)})]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{steps[-1]['workflow']} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main(sys.argv[1:])
