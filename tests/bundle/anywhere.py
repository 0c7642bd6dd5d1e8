"""What tests/bundle/test_anywhere.py does with a bundle in a Python that knows no folder of it; prints JSON."""

import json
import sys
import warnings
from pathlib import Path


def main(bundle: Path, output: Path, training: dict[str, object]) -> None:
    warnings.filterwarnings("ignore")
    import monai.bundle
    from monai.bundle import ConfigWorkflow, create_workflow

    configs, found = bundle / "configs", {}
    for kind in ("train", "inference"):
        network = monai.bundle.load(name=bundle.name, bundle_dir=str(bundle.parent), workflow_type=kind)
        # Without a JSON file, as in the repository, MONAI gives the weights alone.
        found[f"load {kind}"] = hasattr(network, "state_dict") or not (configs / f"{kind}.json").is_file()
    flow = create_workflow(config_file=str(configs / "inference.yaml"), workflow_type="inference")
    found["inference"], found["root"] = flow.check_properties(), str(flow.parser.get_parsed_content("bundle_root"))
    try:
        create_workflow(config_file=str(configs / "inference.yaml"), workflow_type="inference", treshold=0.3)
    except Exception as error:
        causes = []
        while error is not None:
            causes.append(str(error))
            error = error.__cause__
        found["mistyped"] = causes[-1]
    monai.bundle.run(
        run_id="infer",
        config_file=str(configs / "inference.yaml"),
        logging_file=False,
        output_dir=str(output / "infer"),
    )
    if training:
        own = {"logging_file": str(configs / "logging.conf"), "meta_file": str(configs / "metadata.json")}
        own |= {"model_dir": str(output / "models"), "output_dir": str(output / "train")}
        flow = ConfigWorkflow(
            workflow_type="train", config_file=str(configs / "train.yaml"), run_id="train", **own, **training
        )
        flow.initialize()
        found["train"] = flow.check_properties()
        flow.run()
        flow.finalize()
    found["scripts"] = sys.modules["scripts"].__file__
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
