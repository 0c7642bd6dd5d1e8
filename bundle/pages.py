"""README, model card and licence page of a built bundle, filled in from its task and its settings."""

from __future__ import annotations

import hashlib
from pathlib import Path
from string import Template

from bundle import folding
from bundle.metadata import UNTRAINED
from bundle.tasks import TaskBundle
from scripts.files import write_text

TEMPLATES = Path(__file__).with_name("templates")
PAGES = {"README.md": "docs/README.md", "model_card.md": "models/README.md"}
OWN = "models/own"  # folder of a model that the reader trains
RUN = "python -m monai.bundle run"


def command(workflow: str, *options: str, run_id: str = "") -> str:
    """A command as it is typed in the bundle's folder."""
    return " ".join([RUN, run_id or workflow, "--config_file", f"configs/{workflow}.yaml", *options])


def requesting(*, pool: bool) -> str:
    """How a request is answered with this bundle: with its own pool, or with a model that the reader trains first."""
    models = () if pool else ("--model_dir", OWN)
    data = ("--dataset_dir", "DIR")
    asked = ("--request", "sample_data/request.csv")
    first = (
        "The bundle comes with its pool (models that were each trained without some of the patients) and with a recipe,"
        " so a request can be answered at once:"
        if pool
        else "Train a model with its records, and prepare its pool (once a model, hours):"
    )
    before = [] if pool else [command("train", *data, *models), command("prepare", *data, *models)]
    steps = [
        command("forget", *data, *models, *asked),
        command("evaluate", *data, *models, *asked),
        command("revert", *models, *asked),
    ]
    blocks = [first, *(_block(before) if before else []), *([] if pool else ["Then:"]), *_block(steps)]
    return "\n\n".join(blocks)


def _block(lines: list[str]) -> list[str]:
    return ["```\n" + "\n".join(lines) + "\n```"]


def write_pages(work: Path, task: TaskBundle, *, trained: bool, recorded: bool, pool: bool, delivered: bool) -> None:
    """Write the pages of the bundle in `work`, and the request that they use."""
    settings = folding.settings(work / "configs" / "inference.yaml")
    words = {key: str(value) for key, value in settings.items()} | {
        "title": task.title,
        "state": "" if trained else f"**{UNTRAINED}.** ",
        "description": task.description,
        "image": task.image[0].upper() + task.image[1:],
        "data_source": task.data_source,
        "data_set": task.data_set,
        "output": task.answers.describe(task.answers.output, task.classes),
        "performance": "None: the weights are random."
        if not trained
        else task.performance
        if delivered
        else "Not measured by the builder. Run the evaluation below on held-out patients and state the figures here.",
        "weights": UNTRAINED
        if not trained
        else "trained; delivered by the project"
        if delivered
        else "trained; given to the builder with --model",
        "references": "\n".join(f"- {reference}" for reference in task.references),
        "sha256": hashlib.sha256((work / "models" / "model.pt").read_bytes()).hexdigest(),
        "requesting": requesting(pool=pool),
        "level": task.example[0],
        "id": task.example[1],
        "own": OWN,
        "records": "`model.json` and `split.json`: how it was trained and, as salted digests, on whom"
        if recorded
        else "none: a request on these weights needs `trust_unrecorded: true`, and no PASS can follow",
        "pool": "`model_fold*.pt`, each with its record; `recipe.json`" if pool else "none",
    }
    for template, path in PAGES.items():
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        write_text(work / path, Template(text).substitute(words))
    write_text(work / "docs" / "data_license.txt", task.data_licence + "\n")
    level, name = task.example
    rows = f"request_id,level,id,requested_on,ground\nexample-1,{level},{name},2026-11-02,research\n"
    write_text(work / "sample_data" / "request.csv", rows)
