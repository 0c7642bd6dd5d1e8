"""MONAI's own functions on a bundle, each fault as a line; `bundle.check` starts this file in the bundle's folder.

It imports nothing of this repository: `scripts` is the bundle's.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

SCHEMA = Path(__file__).with_name("meta_schema_20240725.json")


def main(bundle: Path, scratch: Path, dataset_dir: str) -> list[str]:
    """The faults; in the order of the checks."""
    sys.path.insert(0, str(bundle))
    warnings.filterwarnings("ignore")
    import torch
    from monai.bundle import ConfigWorkflow, ckpt_export, load, verify_metadata, verify_net_in_out

    configs = bundle / "configs"
    meta, inference = str(configs / "metadata.json"), str(configs / "inference.yaml")
    files = {"meta_file": meta, "config_file": inference}
    weights, scripted = str(bundle / "models" / "model.pt"), scratch / "model.ts"
    shutil.copy(SCHEMA, scratch / "schema.json")  # a file at the target path is not downloaded again

    def properties(kind: str, **given: str) -> None:
        file = str(configs / f"{kind}.yaml")
        flow = ConfigWorkflow(workflow_type=kind, config_file=file, logging_file=False, meta_file=meta, **given)
        flow.initialize()
        if missing := flow.check_properties():
            raise ValueError(f"properties are missing: {', '.join(missing)}")

    def same_answer() -> None:
        image = json.loads(Path(meta).read_text())["network_data_format"]["inputs"]["image"]
        network = load(bundle.name, bundle_dir=str(bundle.parent), workflow_type="inference", device="cpu").eval()
        sample = torch.rand(1, image["num_channels"], *image["spatial_shape"])
        torch.testing.assert_close(torch.jit.load(str(scripted)).eval()(sample), network(sample), rtol=1e-4, atol=1e-4)

    def trained() -> None:
        places = {"model_dir": str(scratch / "models"), "output_dir": str(scratch / "run")}
        properties("train", dataset_dir=dataset_dir, **places)

    export = {"net_id": "network_def", "filepath": str(scripted), "ckpt_file": weights}
    checks: dict[str, Callable[[], None]] = {
        "verify_metadata": lambda: verify_metadata(meta_file=meta, filepath=str(scratch / "schema.json")),
        "verify_net_in_out": lambda: verify_net_in_out(net_id="network_def", device="cpu", **files),
        "ckpt_export": lambda: ckpt_export(**export, **files),
        "load": same_answer,
        "check_properties of inference": lambda: properties("inference", output_dir=str(scratch / "answers")),
    }
    if dataset_dir:
        checks["check_properties of train"] = trained
    found = []
    for name, one in checks.items():
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                one()
        except Exception as error:  # whatever a foreign bundle's code raises is the fault
            first: BaseException = error
            while first.__cause__ is not None:
                first = first.__cause__
            found.append(f"{name}: {type(first).__name__}: {' '.join(str(first).split())[:300]}")
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])))
