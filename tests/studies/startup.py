"""What the start of each workflow imports, and how long that takes: `python -m tests.studies.startup`.

Every workflow is run for real, as short as it goes, under `python -X importtime`. What is imported before the package
`scripts` is what `python -m monai.bundle` brings by itself; what comes after, up to the end of the command, is ours:
the self time of the modules of `scripts`, and that of all others that were not there yet. About four minutes.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from monai.bundle import ConfigParser
from scripts.settings.given import read_settings
from scripts.settings.running import Running
from scripts.settings.workflows import WORKFLOWS
from tests.studies.common import ROOT, save
from tests.studies.tables import table

LINE = re.compile(r"import time: +(\d+) \| +\d+ \| +(\S+)")  # self time in microseconds, name
# What MONAI imports only where it is installed, and requirements.txt (for peft: transformers) installs.
OPTIONAL = ("transformers", "matplotlib", "sklearn", "skimage", "tensorboard")
MONAI = "import sys; sys.modules.update(dict.fromkeys(sys.argv[1:])); import monai.bundle, fire"
# Workflow -> id to run and the settings that make it short; in this order, each goes on from those before it.
COMMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "train": ("run", {"epochs": 1, "model_dir": "{folder}/models", "output_dir": "{folder}/train"}),
    "forget": ("run", {"max_rounds": 1, "min_rounds": 1, "output_dir": "{folder}/run"}),
    "restore": ("run", {"restore_epochs": 1, "output_dir": "{folder}/run"}),
    "evaluate": ("run", {"surface": False, "overlays": 1, "output_dir": "{folder}/run"}),
    "revert": ("run", {"output_dir": "{folder}/run"}),
    "inference": ("infer", {"output_dir": "{folder}/inference"}),
    "unlearn": (
        "run",
        {"max_rounds": 1, "min_rounds": 1, "restore_epochs": 1, "surface": False, "overlays": 1}
        | {"output_dir": "{folder}/chain"},
    ),
}


def imports(words: Sequence[str]) -> list[tuple[str, float]]:
    """Modules that `python WORDS` imports and their self times in seconds, in order; each the first time only.

    A name that comes again is a search for a package that is not installed; MONAI repeats it at every call.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    line = [sys.executable, "-X", "importtime", *words]
    done = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise RuntimeError(f"{' '.join(line)}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    found: dict[str, float] = {}
    for microseconds, name in LINE.findall(done.stderr):
        found.setdefault(name, int(microseconds) / 1e6)
    return list(found.items())


def shares(found: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """Seconds by whose they are, and by package what only we bring."""
    start = [name for name, _ in found].index("scripts")
    packages: Counter[str] = Counter()
    for name, seconds in found[start:]:
        packages[name.partition(".")[0]] += seconds
    own = packages.pop("scripts")
    return {
        "monai": sum(seconds for _, seconds in found[:start]),
        "third_party": sum(packages.values()),
        "own": own,
        "packages": dict(packages),
    }


def check_seconds(workflow: str) -> float:
    """How long the settings of a command with one overlay take to be read and checked: our start beside the imports.

    Each step of a chain reads its own once more.
    """
    parser = ConfigParser()
    parser.read_config([str(ROOT / "configs" / f"{name}.yaml") for name in (workflow, "chase")])
    parser.parse()
    started = time.perf_counter()
    for _ in range(1 + len(WORKFLOWS[workflow].reaches if workflow == "unlearn" else ())):
        read_settings(Running(parser=parser, by_command_line=False), workflow)
    return time.perf_counter() - started


def command(workflow: str, folder: Path) -> list[str]:
    """The command line of one workflow."""
    run_id, settings = COMMANDS[workflow]
    words = ["-m", "monai.bundle", "run", run_id, "--config_file", f"configs/{workflow}.yaml"]
    return words + [f"--{key}={str(value).format(folder=folder)}" for key, value in settings.items()]


def one_run() -> dict[str, dict[str, Any]]:
    """Every workflow once."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            name: shares(imports(command(name, Path(folder)))) | {"check": check_seconds(name)} for name in COMMANDS
        }


def middle(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The median of every figure; packages of a millisecond or more, the largest first."""
    figures: dict[str, Any] = {key: median(one[key] for one in found) for key in found[0] if key != "packages"}
    names = set().union(*(one["packages"] for one in found))
    packages = {name: median(one["packages"].get(name, 0.0) for one in found) for name in names}
    kept = sorted((-seconds, name) for name, seconds in packages.items() if seconds >= 0.001)
    return figures | {"packages": {name: -seconds for seconds, name in kept}}


def measure(runs: int) -> dict[str, Any]:
    """The figures of `docs/results/startup.json`, seconds."""
    every = [one_run() for _ in range(runs)]
    total = {
        name: median(sum(seconds for _, seconds in imports(["-c", MONAI, *without])) for _ in range(runs))
        for name, without in (("all", ()), ("without_optional", OPTIONAL))
    }
    workflows = {name: middle([run[name] for run in every]) for name in COMMANDS}
    return {"runs": runs, "optional": list(OPTIONAL), "monai": total, "workflows": workflows}


def main() -> None:
    """Measure, print the table, write `docs/results/startup.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="the median of so many")
    content = measure(parser.parse_args().runs)
    rows = []
    for name, found in content["workflows"].items():
        ours = found["third_party"] + found["own"] + found["check"]
        packages = ", ".join(f"{package} {seconds:.3f}" for package, seconds in list(found["packages"].items())[:3])
        figures = [f"{found[key]:.3f}" for key in ("monai", "third_party", "own", "check")]
        rows.append([name, *figures, f"**{ours:.3f}**", packages])
    print(table(["workflow", "MONAI", "others by us", "`scripts`", "key check", "ours", "most of the others"], rows))
    alone = content["monai"]
    print(f"MONAI alone {alone['all']:.3f}, without {', '.join(OPTIONAL)} {alone['without_optional']:.3f}")
    save("startup", content)


if __name__ == "__main__":
    main()
