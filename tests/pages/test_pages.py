"""The pages for three kinds of readers: every command as it stands, in a copy of the bundle with short settings."""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from scripts.attacks.quantisation import Quantised
from scripts.chain import run_workflow
from scripts.files import read_json
from scripts.pool import preparation
from scripts.pool.candidates import Candidate
from scripts.pool.mock_scoring import MockScoring
from scripts.release.inference_bundle import InferenceBundle, Wanted
from scripts.tasks.blocks import network_block
from tests.warm import python

# What a reader has patience for and a test has not, changed in the files as the pages say that one may.
SHORT = {
    **{"image_size": 32, "epochs": 1, "validate_every": 1, "fold_members": 1, "mock_requests": 0, "overlays": 1},
    **{"min_rounds": 1, "max_rounds": 2, "steps_per_round": 2, "calibration_requests": 1, "recovery_steps": 20},
    **{"restore_epochs": 1, "reference_pairs": 4, "near_duplicates": False, "recovery": "[int8]"},
    "attacks": "[fine_tuned_20]",
}
FEW = {"steps_per_round": 1, "min_rounds": 1, "max_rounds": 2, "retain_batch": 4, "forget_batch": 2}
VERDICTS = (0, 3, 4, 5)


def blocks(page: Path, *kinds: str) -> list[str]:
    """The code blocks of these kinds, in their order; a block without a kind is ''."""
    found = re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return [text for kind, text in found if kind in kinds]


def lines(page: Path) -> list[str]:
    """The commands of a page."""
    return [
        line for text in blocks(page, "") for line in text.splitlines() if line.startswith(("python ", "pip ", "sh "))
    ]


@pytest.fixture(scope="module")
def bundle(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository as its user has it, with short settings in the workflow files and the page's request."""
    root = tmp_path_factory.mktemp("pages") / "bundle"
    for part in ("configs", "scripts", "models", "sample_data", "docs", "bundle"):
        ignored = shutil.ignore_patterns("__pycache__", "private", "results")
        shutil.copytree(repository / part, root / part, ignore=ignored)
    for name in ("LICENSE", "requirements.txt", "requirements-cpu.txt", "requirements-gpu.txt"):
        shutil.copy(repository / name, root / name)
    for path in (root / "configs").glob("*.yaml"):
        known = set(yaml.safe_load(path.read_text(encoding="utf-8")))
        own = {name: value for name, value in SHORT.items() if name in known}
        # The models that come with the bundle are of 64 pixels; whoever trains takes fewer.
        text = [
            f"{line.split(':')[0]}: {_plain(own[line.split(':')[0]])}" if line.split(":")[0] in own else line
            for line in path.read_text(encoding="utf-8").splitlines()
        ]
        path.write_text("\n".join(text) + "\n", encoding="utf-8")
    (request,) = [text for text in blocks(root / "docs" / "HOSPITAL.md", "") if text.startswith("request_id,")]
    (root / "request.csv").write_text(request, encoding="utf-8")
    return root


def _plain(value: object) -> str:
    return value if isinstance(value, str) else yaml.safe_dump(value).splitlines()[0]


def run(line: str, folder: Path, *, codes: tuple[int, ...] = (0,)) -> str:
    """What a command prints; it is run as typed, and nothing of this repository is on its path."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = python(shlex.split(line)[1:], cwd=folder, env={**environment, "OMP_NUM_THREADS": "1"})
    assert done.returncode in codes, f"{line}\n{done.returncode}\n{done.stdout[-1500:]}\n{done.stderr[-3000:]}"
    return done.stdout


def inference_bundle(repository: Path, folder: Path) -> Path:
    """What `export` writes beside a committed student, here of the bundle's own model."""
    versions = read_json(repository / "configs" / "metadata.json", remedy="")
    shape = {"spatial_dims": 2, "in_channels": 1, "out_channels": 1}
    wanted = Wanted(
        network=network_block("unet_half", **shape),
        task="segmentation",
        normalise="half",
        image_size=(64, 64),
        patch_size=(),
        overlap=0.25,
        **shape,
    )
    made = InferenceBundle(wanted, versions=versions, verdict="PASS")
    weights = repository / "models" / "model.pt"
    return made.write(folder / "inference_bundle", weights=weights, licence=repository / "LICENSE")


@pytest.fixture(scope="module")
def answered(bundle: Path) -> list[str]:
    """The commands of the hospital's page, after they were run."""
    asked = lines(bundle / "docs" / "HOSPITAL.md")
    for line in asked:
        words = shlex.split(line)
        if words[3] == "prepare":
            _prepare(bundle, words[words.index("--model_dir") + 1])
        elif words[3] != "process":
            run(line, bundle, codes=VERDICTS if words[3] == "verify" else (0,))
    return asked


def _prepare(bundle: Path, models: str) -> None:
    """`prepare` in this process, with two candidates in place of two dozen and an attack that trains nothing."""
    short = (
        Candidate("fold_start", {**FEW, "forget_learning_rate": 1e-4}),
        Candidate("erase_to_retain", {**FEW, "trainable": "all"}),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(bundle)
        patch.setattr(preparation, "candidates", lambda batch: short)
        patch.setattr(MockScoring, "attacks", lambda self, without: {"int8": Quantised(8)})
        run_workflow([str(bundle / "configs" / "prepare.yaml")], overrides={"model_dir": models, "folds": 2})


@pytest.mark.slow
def test_a_hospital_team_gets_from_a_model_to_an_answer(answered: list[str], bundle: Path) -> None:
    steps = [shlex.split(line)[3] for line in answered if " -m scripts " in line]
    assert steps == ["train", "prepare", "unlearn", "references", "verify", "commit", "export"]
    release = bundle / "eval" / "erasure-2026-014" / "release"
    assert {"student.pt", "certificate.json", "report.html", "ledger.jsonl"} <= {p.name for p in release.iterdir()}
    assert "training example of the manual" in (release / "certificate.json").read_text()


@pytest.mark.slow
def test_a_researcher_changes_settings_alone(bundle: Path) -> None:
    """On the bundle's own models, so at their size."""
    for name in ("forget", "evaluate", "restore"):
        path = bundle / "configs" / f"{name}.yaml"
        path.write_text(re.sub(r"^image_size: 32$", "image_size: 64", path.read_text(), flags=re.MULTILINE))
    for line in lines(bundle / "docs" / "RESEARCHER.md"):
        assert run(line, bundle)
    runs = bundle / "eval"
    assert '"fine_tuned_20"' in (runs / "fold_start" / "release" / "metrics.json").read_text()
    assert (runs / "adapter" / "release" / "student.pt").is_file()


@pytest.mark.slow
def test_an_integrator_builds_checks_and_loads(bundle: Path, repository: Path, tmp_path: Path) -> None:
    page = bundle / "docs" / "INTEGRATOR.md"
    exported = inference_bundle(repository, tmp_path)
    for line in lines(page):
        if line.startswith("sh ") or "install-label" in line:
            continue  # `make test-label`
        inside = "monai.bundle" in line
        run(line, exported if inside else bundle)
    assert (exported / "model.ts").is_file() and (exported / "model.onnx").is_file()
    (code,) = blocks(page, "python")
    script = tmp_path / "page.py"
    script.write_text(code.replace('"built', f'"{bundle / "built"}'), encoding="utf-8")
    run(f"python -P {script}", tmp_path)


def test_the_messages_of_the_page_exist(repository: Path) -> None:
    """Those of this bundle in its code, and MONAI's own in MONAI's."""
    import monai.bundle.workflows

    text = (repository / "docs" / "TROUBLESHOOTING.md").read_text(encoding="utf-8")
    quoted = re.findall(r"^\| `([^`]+)` \| ([^|]*)\|", text, re.MULTILINE)
    assert len(quoted) > 12
    own = "\n".join(_texts(path) for path in (repository / "scripts").rglob("*.py"))
    theirs = Path(monai.bundle.workflows.__file__).read_text(encoding="utf-8")
    for message, why in quoted:
        if "positional argument" in message:
            continue  # Python's
        assert message in (theirs if why.startswith("MONAI's own") else own), message


def _texts(path: Path) -> str:
    """The texts in a module; what is put into an f-string shows as {}."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            found.append("".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return "\n".join(found)


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        *(
            f"docs/{page}.md"
            for page in (
                "README",
                "HOSPITAL",
                "INTEGRATOR",
                "RESEARCHER",
                "LABEL",
                "EXTENDING",
                "SHARP_EDGES",
                "TROUBLESHOOTING",
                "VERDICT",
                "FOREIGN",
                "FORMATS",
                "REFERENCE",
            )
        ),
    ],
)
def test_links_lead_somewhere(repository: Path, name: str) -> None:
    page = repository / name
    for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target
