"""One training by a bundle's own workflow, run as a program of its own: `python own_training.py TASK.json`.

It is no part of our package while it runs: `scripts` is the bundle's.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any


def main(path: str) -> None:
    """Train as the task says and write the network's weights and the number of epochs."""
    with open(path, encoding="utf-8") as file:
        task = json.load(file)
    # In place of this file's folder, whose modules are not the bundle's.
    sys.path[0] = task["root"]
    os.chdir(task["root"])
    import torch
    from monai.bundle import ConfigWorkflow
    from monai.utils import set_determinism

    class OwnWorkflow(ConfigWorkflow):
        """The bundle's workflow with other lists of images."""

        def initialize(self) -> Any:
            self.parser.parse(reset=True)
            # As entries of the config MONAI would change paths with a `#` in them.
            self.parser.ref_resolver.resolved_content.update(task["lists"])
            if task["device"]:
                self.parser.ref_resolver.resolved_content["device"] = torch.device(task["device"])
            self._is_initialized = True
            return self._run_expr(id=self.init_id)

    workflow = OwnWorkflow(
        config_file=task["config"],
        meta_file=task["metadata"],
        logging_file=False,
        workflow_type="train",
        **task["overrides"],
    )
    if task["threads"]:
        torch.set_num_threads(task["threads"])
    set_determinism(task["seed"])
    workflow.initialize()
    # A bundle that sets a seed of its own would train all its models alike.
    set_determinism(task["seed"])
    workflow.run()
    for key, entries in task["lists"].items():
        used = workflow.parser.get_parsed_content(key.rsplit("::", 1)[0]).data
        if len(used) != len(entries):
            raise SystemExit(f"{key}: the workflow was trained on {len(used)} images, not on the {len(entries)} given")
    trainer = workflow.parser.get_parsed_content("train::trainer")
    network = getattr(trainer.network, "module", trainer.network)
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    torch.save({"model": state, "epochs": torch.tensor(trainer.state.epoch)}, task["weights"] + ".part")
    os.replace(task["weights"] + ".part", task["weights"])
    workflow.finalize()


def root_of(error: BaseException) -> BaseException:
    """What began it: MONAI wraps what a config's part raises in errors of its own."""
    while (before := error.__cause__ or error.__context__) is not None:
        error = before
    return error


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception as error:
        traceback.print_exc()
        cause = root_of(error)
        print(f"{type(cause).__name__}: {' '.join(str(cause).split())}")
        sys.exit(1)
