"""Several workflows in one process: the steps of a chain."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scripts import processes
from scripts.errors import InputError
from scripts.record.phase import FIRST, MAKING
from scripts.settings.given import Settings
from scripts.settings.running import handing
from scripts.settings.workflows import WORKFLOWS, accepted
from scripts.workspace.shared import sharing


def run_workflow(files: Sequence[str], *, run_id: str = "run", overrides: Mapping[str, Any] | None = None) -> Any:
    """Initialise, run and finalise one MONAI ConfigWorkflow; returns it."""
    from monai.bundle import ConfigWorkflow

    # Each step would announce that it has no logging file and no workflow type of its own.
    logging.getLogger("monai.bundle.workflows").setLevel(logging.ERROR)
    workflow = ConfigWorkflow(
        config_file=list(files), workflow_type=None, run_id=run_id, logging_file=False, **dict(overrides or {})
    )
    with handing(dict(overrides or {})):
        workflow.initialize()
        workflow.run()
        workflow.finalize()
    return workflow


class Chain:
    """Runs `configs/<step>.yaml` for each step, with the settings that this run was given.

    A step takes those settings that it has; a phase that the method of forgetting does not have is left out. Of
    several processes the first runs alone what is not made for more: a workflow without the setting `distributed`.

    Args:
        config_dir: folder of the workflow files.
        settings: of the workflow that runs the steps.
        steps: workflow names, in order; None takes those that the workflow reaches.
    """

    def __init__(self, *, config_dir: str | Path, settings: Settings, steps: Sequence[str] | None = None) -> None:
        self.config_dir, self.settings = Path(config_dir), settings
        self.steps = tuple(WORKFLOWS[settings.workflow].reaches if steps is None else steps)

    def run(self) -> None:
        """Run the steps; the first error ends the chain."""
        phases: Sequence[str] = MAKING
        with sharing():
            for step in self.steps:
                if step in MAKING and step not in phases:
                    continue
                workflow = self._run(step)
                if step == FIRST and "workspace" in workflow.parser.get():
                    phases = workflow.parser.get_parsed_content("workspace").method.phases

    def _run(self, step: str) -> Any:
        path, own = str(self.config_dir / f"{step}.yaml"), overrides(self.settings, step)
        if not Path(path).is_file():
            raise InputError(f"chain::config_dir: {self.config_dir} holds no {step}.yaml")
        if "distributed" in WORKFLOWS[step].names:
            return run_workflow([path], overrides=own)
        processes.once(lambda: _run_alone(path, own))
        return None


def _run_alone(path: str, own: Mapping[str, Any]) -> None:
    run_workflow([path], overrides=own)


def overrides(settings: Settings, workflow: str) -> dict[str, Any]:
    """What a workflow hands on to one that it runs: the given settings that the other takes, and whole blocks."""
    own = {name: value for name, value in settings.given.items() if name in accepted(workflow)}
    return own | settings.blocks
