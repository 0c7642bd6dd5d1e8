"""What the code imports, what requirements.txt installs and what metadata.json names are the same packages."""

from __future__ import annotations

import ast
import json
import re
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Come with others, or are asked for where somebody wants what they do: the README names each.
EXTRAS = {
    "ray",
    "pydicom",
    "highdicom",
    "itk-core",
    "itk-io",
    "model-signing",
    "mlflow",
    "optuna",
    "codecarbon",
    "pymoo",
}
INDIRECT = {"markupsafe", "mlflow-skinny", "mlflow-tracing"}  # with jinja2, with mlflow
NO_IMPORT = {"fire", "tensorboard", "einops"}  # MONAI and torch import them for what the workflows do
OWN_FIELDS = {"monai", "torch", "numpy"}  # metadata has a field of its own for each


def required(repository: Path) -> dict[str, Requirement]:
    lines = (repository / "requirements.txt").read_text(encoding="utf-8").splitlines()
    found = [Requirement(line) for text in lines if (line := re.sub(r"\s+#.*|^#.*", "", text).strip())]
    here = {canonicalize_name(one.name): one for one in found if one.marker is None or one.marker.evaluate()}
    return here


def imported(repository: Path) -> set[str]:
    """Distributions whose modules `scripts` imports, at whatever place."""
    top: set[str] = set()
    for path in (repository / "scripts").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                top |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                top.add(node.module.split(".")[0])
    known = packages_distributions()
    foreign = top - set(sys.stdlib_module_names) - {"scripts"}
    return {canonicalize_name(name) for module in foreign for name in known.get(module, [module])}


def test_every_import_is_installed_and_the_other_way_round(repository: Path) -> None:
    asked = set(required(repository)) | {"torch"}
    used = imported(repository) - EXTRAS - INDIRECT - {"psutil"}  # of Windows alone
    assert used - asked == set()
    assert asked - used == NO_IMPORT


def test_metadata_names_each_in_a_version_that_requirements_allow(repository: Path) -> None:
    metadata = json.loads((repository / "configs" / "metadata.json").read_text(encoding="utf-8"))
    named = metadata["required_packages_version"]
    asked = required(repository)
    assert {canonicalize_name(name) for name in named} == set(asked) - OWN_FIELDS
    fields = {"monai": "monai_version", "numpy": "numpy_version"}
    for name, requirement in asked.items():
        stated = metadata[fields[name]] if name in fields else named[name]
        assert requirement.specifier.contains(stated), name
    assert metadata["pytorch_version"] == version("torch").split("+")[0]
