"""`python -m bundle build | check | install-label | settings`: exit code 0, or 2, or 3 where a check found a fault."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from bundle.tasks import TASKS, task_bundle
from scripts.errors import BAD_INPUT, DONE, FAIL, InputError, disk_full


class OneLineParser(argparse.ArgumentParser):
    """Errors as one line that the operator can act on."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see python -m bundle {self.prog.split()[-1]} --help")


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = OneLineParser(prog="bundle", description="Assemble installable MONAI bundles from this repository.")
    commands = top.add_subparsers(dest="command", required=True, parser_class=OneLineParser)
    build = commands.add_parser("build", help="write a self-contained bundle folder")
    build.add_argument("--task", required=True, help=" | ".join(TASKS))
    build.add_argument("--output", required=True, help="folder that receives the bundle's folder")
    build.add_argument("--model", help="trained weights (a state dict) of the task's network")
    build.add_argument(
        "--records",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="copy the model's record and split as well; by itself where the record names the task's public data set",
    )
    build.add_argument("--pool", action="store_true", help="copy the fold teachers and the recipe as well")
    build.add_argument("--url", default="", help="where large files will lie: writes large_files.yml for the Model Zoo")
    build.add_argument("--untrained", action="store_true", help="random weights; every page then says UNTRAINED")
    check = commands.add_parser("check", help="what the Model Zoo, Hugging Face and a stranger ask of a bundle")
    check.add_argument("folder", help="folder of a built bundle")
    check.add_argument("--dataset_dir", default="", help="its data set, to check the training's properties too")
    label = commands.add_parser("install-label", help="MONAI Label in a folder of its own, with built bundles")
    label.add_argument("--app", required=True, help="folder that receives environment, app and start.sh")
    label.add_argument("--bundle", required=True, action="append", help="a built bundle; may be given several times")
    label.add_argument("--torch", default="cpu", choices=("cpu", "gpu"), help="which requirements-*.txt brings torch")
    label.add_argument(
        "--no-torchvision", action="store_true", help="stand-ins for what Label imports of it and these bundles lack"
    )
    commands.add_parser("settings", help="write the settings on top of the workflow files, and docs/SETTINGS.md")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        given = parser().parse_args(argv)
        if given.command == "settings":
            from bundle.settings_block import write_settings

            print("\n".join(write_settings(Path(__file__).resolve().parents[1])) or "all settings are up to date")
            return DONE
        if given.command == "check":
            from bundle.check import check, zoo_note

            faults = check(given.folder, dataset_dir=given.dataset_dir)
            print("\n".join(faults) or f"{given.folder}: no fault found")
            if note := zoo_note(given.folder):
                print(f"note: {note}")
            return FAIL if faults else DONE
        if given.command == "install-label":
            from bundle.label import install

            script = install(given.app, given.bundle, torch=given.torch, vision=not given.no_torchvision)
            print(f"sh {script} STUDIES    starts the server at 127.0.0.1:8000 on the images in the folder STUDIES")
            return DONE
        task = task_bundle(given.task)
        from bundle.build import build  # imports torch and MONAI: seconds that a mistyped option need not cost

        options = {name: getattr(given, name) for name in ("model", "untrained", "records", "pool", "url")}
        built = build(task, output=given.output, **options)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:
        if disk_full(error) is None:
            raise
        print(f"error: {error.filename or given.output}: {error.strerror}", file=sys.stderr)
        return BAD_INPUT
    print(f"{built.folder}{'' if built.trained else '  UNTRAINED: random weights'}")
    return DONE


if __name__ == "__main__":
    sys.exit(main())
