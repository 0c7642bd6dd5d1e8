"""What each of two processes does in tests/commands/test_multi_gpu.py; torchrun starts this module."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Events
from monai.bundle import ConfigWorkflow
from scripts import errors, processes
from scripts.chain import run_workflow
from scripts.errors import InputError
from tests.commands.common import ROOT, workflow

OVERLAY = str(ROOT / "configs" / "multi_gpu_train.yaml")


class Interrupted(Exception):
    pass


def interrupted(name: str, settings: dict[str, Any], *, at: int) -> None:
    """Run a workflow and break off after step `at`, in every process."""
    overrides = {"bundle_root": str(ROOT), **settings}
    flow = ConfigWorkflow(config_file=[workflow(name), OVERLAY], logging_file=False, run_id=name, **overrides)
    flow.initialize()
    trainer = flow.parser.get_parsed_content("train::trainer")

    def stop(engine: Any) -> None:
        raise Interrupted

    trainer.add_event_handler(Events.ITERATION_COMPLETED(once=at), stop)
    try:
        flow.run()
    except Exception as error:
        while error is not None and not isinstance(error, Interrupted):
            error = error.__cause__ or error.__context__  # type: ignore[assignment]
        assert error is not None
    else:
        raise AssertionError(f"{name} was not interrupted")


def refusals() -> dict[str, Any]:
    """What the processes say of an error in the first of them, and who prints it."""

    def refuse() -> None:
        raise InputError("no such thing")

    try:
        processes.once(refuse)
    except InputError as error:
        said = str(error)
    speaks = processes.claim(f"error: {said}", 3)
    return {"said": processes.gathered(said), "speaks": processes.gathered(speaks)}


def main(plan_file: str) -> None:
    """Go through the plan; the first process writes what was found, then the second fails alone."""
    errors.install()
    plan = json.loads(Path(plan_file).read_text(encoding="utf-8"))
    group = processes.Processes(distributed=True, device="cpu")
    group.join()
    for step in plan["steps"]:
        if step.get("interrupt"):
            interrupted(step["name"], step["settings"], at=step["interrupt"])
        run_workflow(
            [workflow(step["name"]), OVERLAY],
            run_id=step["run_id"],
            overrides={"bundle_root": str(ROOT), **step["settings"]},
        )
    found = {
        "size": processes.size(),
        "agreed": processes.gathered(processes.agreed(processes.rank())),
        "once": processes.gathered(processes.once(processes.rank)),
        **refusals(),
    }
    processes.once(lambda: torch.save(found, plan["found"]))
    if processes.rank() == 1:
        raise InputError("the second process alone meets this")
    processes.gathered(None)


if __name__ == "__main__":
    main(sys.argv[1])
