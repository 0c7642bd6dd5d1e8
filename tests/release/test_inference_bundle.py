"""The committed model with MONAI's own parts alone: nothing foreign in it, and the answers of our own inference."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import onnxruntime
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, ckpt_export, onnx_export, verify_metadata, verify_net_in_out
from monai.data import MetaTensor
from PIL import Image
from scripts.data import build_source
from scripts.data.transforms import preprocessing
from scripts.files import read_json
from scripts.foreign.folder import ForeignFolder
from scripts.foreign.scan import scan
from scripts.release.inference_bundle import InferenceBundle, Wanted
from scripts.tasks import build_network, build_task
from scripts.tasks.blocks import network_block

ROOT = Path(__file__).resolve().parents[2]
SHAPES: dict[str, dict[str, Any]] = {
    "grey": {"task": "segmentation", "spatial_dims": 2, "in_channels": 1, "out_channels": 1, "normalise": "half"},
    "colour": {"task": "segmentation", "spatial_dims": 2, "in_channels": 3, "out_channels": 1, "normalise": "zscore"},
    "volume": {
        **{"task": "multiclass_segmentation", "spatial_dims": 3, "in_channels": 1, "out_channels": 3},
        "normalise": "zscore",
    },
}


def bundle(**wanted: Any) -> InferenceBundle:
    values = {"image_size": None, "patch_size": (), "overlap": 0.25, **wanted}
    shape = {name: values[name] for name in ("spatial_dims", "in_channels", "out_channels")}
    block = values.pop("network", None) or network_block("unet_half", **shape)
    versions = read_json(ROOT / "configs" / "metadata.json", remedy="")
    return InferenceBundle(Wanted(network=block, **values), versions=versions, verdict="PASS")


def picture(folder: Path, channels: int) -> str:
    """Wider than high, so that a turn would be seen."""
    rows, columns = np.mgrid[:40, :56]
    grey = ((rows - 14) ** 2 + (columns - 36) ** 2 < 120) * 150 + columns
    shown = np.stack([grey, grey // 2, 255 - grey], -1) if channels == 3 else grey
    Image.fromarray(shown.astype(np.uint8)).save(folder / "case.png")
    return "case.png"


def volume(folder: Path) -> str:
    """Stored along other axes than RAS."""
    values = np.random.default_rng(0).normal(size=(36, 40, 34)).astype(np.float32)
    affine = np.array([[0, -1.0, 0, 5], [-1.5, 0, 0, 7], [0, 0, 2.0, -3], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(values, affine), folder / "case.nii.gz")
    return "case.nii.gz"


@pytest.mark.parametrize("patch", [False, True], ids=["whole", "windows"])
@pytest.mark.parametrize("kind", SHAPES)
def test_it_answers_as_our_own_inference(tmp_path: Path, kind: str, patch: bool, monkeypatch: Any) -> None:
    shape = SHAPES[kind]
    dims = shape["spatial_dims"]
    size = {"patch_size": (32,) * dims} if patch else {"image_size": (48, 32, 32)[:dims]}
    made = bundle(**shape, **size)
    own = {name: shape[name] for name in ("spatial_dims", "in_channels", "out_channels")}
    network = build_network(name="unet_half", seed=1, **own).eval()
    torch.save(network.state_dict(), tmp_path / "student.pt")
    folder = made.write(tmp_path / "bundle", weights=tmp_path / "student.pt", licence=ROOT / "LICENSE")
    name = volume(folder) if dims == 3 else picture(folder, shape["in_channels"])
    (folder / "configs" / "images.json").write_text(json.dumps({"images": [{"image": name}]}), encoding="utf-8")
    monkeypatch.chdir(folder)
    workflow = ConfigWorkflow("configs/inference.json", workflow_type="infer", logging_file=False)
    workflow.initialize()
    assert workflow.check_properties() == []
    seen: list[torch.Tensor] = []
    workflow.network_def.register_forward_pre_hook(lambda _network, given: seen.append(given[0]))
    workflow.run()
    workflow.finalize()
    expected = prepared(folder / name, shape, size)
    if not patch:
        torch.testing.assert_close(torch.as_tensor(seen[0])[0], expected, rtol=1e-4, atol=1e-4)
    (written,) = [path for path in (folder / "eval").iterdir() if path.is_file()]
    task = build_task(shape["task"])
    with torch.no_grad():
        answer = task.prediction(made_inferer(made)(expected[None], network))[0]
    if size.get("image_size") is None:
        mask = np.asarray(Image.open(written)) if dims == 2 else np.asarray(nib.load(written).dataobj)
        assert mask.shape == ((40, 56) if dims == 2 else (36, 40, 34))
        found = {int(value) for value in np.unique(mask)}
        assert found <= {0, 1, 2}
        counts = [int((mask == number).sum()) for number in range(1, len(answer) + 1)]
        assert counts == [int(own_mask.sum()) for own_mask in answer]


def made_inferer(made: InferenceBundle) -> Any:
    from scripts.data.patches import window_inferer

    wanted = made.wanted
    size = list(wanted.patch_size) or None
    return window_inferer(patch_size=size, spatial_dims=wanted.spatial_dims, overlap=wanted.overlap, windows=1)


def prepared(path: Path, shape: dict[str, Any], size: dict[str, Any]) -> torch.Tensor:
    """The image as our own readers prepare it."""
    mask = path.with_name("mask" + "".join(path.suffixes))
    if shape["spatial_dims"] == 3:
        stored = nib.load(path)
        nib.save(nib.Nifti1Image(np.zeros(stored.shape, np.uint8), stored.affine), mask)
    else:
        Image.fromarray(np.zeros(Image.open(path).size[::-1], np.uint8)).save(mask)
    listed = path.with_name("list.json")
    entry = {"image": path.name, "label": mask.name, "patient_id": "1"}
    listed.write_text(json.dumps([entry]), encoding="utf-8")
    own = {"task": shape["task"], "spatial_dims": shape["spatial_dims"], "channels": shape["in_channels"]}
    source = build_source("datalist", datalist=listed, outputs=shape["out_channels"], **own)
    prepare = preprocessing(source, image_size=size.get("image_size"), normalise=shape["normalise"])
    return prepare(source.records()[0])["image"]


def test_nothing_in_it_is_code(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "student.pt")
    folder = bundle(**SHAPES["volume"], patch_size=(32, 32, 32)).write(
        tmp_path / "bundle", weights=tmp_path / "student.pt", licence=ROOT / "LICENSE"
    )
    shutil.copy(folder / "configs" / "inference.json", folder / "configs" / "train.json")
    found = scan(ForeignFolder(folder))
    assert {str(one.where) for one in found} == {"run::0"}
    assert not list(folder.rglob("*.py"))


def test_monais_own_checks_pass(tmp_path: Path) -> None:
    made = bundle(**SHAPES["grey"], image_size=(32, 32))
    torch.save({}, tmp_path / "student.pt")
    folder = made.write(tmp_path / "bundle", weights=tmp_path / "student.pt", licence=ROOT / "LICENSE")
    shutil.copy(ROOT / "bundle" / "meta_schema_20240725.json", tmp_path / "schema.json")
    meta, config = str(folder / "configs" / "metadata.json"), str(folder / "configs" / "inference.json")
    verify_metadata(meta_file=meta, filepath=str(tmp_path / "schema.json"))
    verify_net_in_out(net_id="network_def", meta_file=meta, config_file=config, device="cpu")


@pytest.mark.parametrize("block", [{"_target_": "UNet", "channels": "$[4]"}, {"_target_": "UNet", "strides": "@two"}])
def test_a_block_with_expressions_is_said(block: dict[str, Any]) -> None:
    assert "expressions or references" in bundle(**SHAPES["grey"], network=block).problem()
    assert bundle(**SHAPES["grey"]).problem() == ""


def exported(folder: Path, target: Path) -> Path:
    """TorchScript of the bundle with its configs inside, by MONAI's own command."""
    configs = folder / "configs"
    ckpt_export(
        net_id="network_def",
        filepath=str(target),
        ckpt_file=str(folder / "models" / "model.pt"),
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / "inference.json"),
    )
    return target


def without(compose: Any, *names: str) -> Any:
    """The transforms but for those whose class is called so: the operator gets and gives images in memory."""
    compose.transforms = tuple(one for one in compose.transforms if not any(n in type(one).__name__ for n in names))
    return compose


def by_operator(script: Path, image: MetaTensor) -> torch.Tensor:
    """What the Deploy App SDK's MonaiBundleInferenceOperator does with a TorchScript file (read at its 016add6).

    It reads both configs out of the archive, builds the parts by their ids, drops readers and writers, and runs the
    network that torch loads: no file of the bundle, and no Python of ours, is at hand.
    """
    parser = ConfigParser()
    with zipfile.ZipFile(script) as archive:
        inside = {name.split("/extra/")[1]: archive.read(name) for name in archive.namelist() if "/extra/" in name}
    parser.read_meta(json.loads(inside["metadata.json"]))
    parser.read_config(json.loads(inside["inference.json"]))
    parser.parse()
    device = parser.get_parsed_content("device")
    before = without(parser.get_parsed_content("preprocessing"), "LoadImage", "SaveImage")
    after = without(parser.get_parsed_content("postprocessing"), "LoadImage", "SaveImage")
    network = torch.jit.load(str(script), map_location=device).eval()
    formats = parser["_meta_"]["network_data_format"]
    (given,), (answer,) = formats["inputs"], formats["outputs"]
    with torch.no_grad():
        inputs = before({given: image})
        kept = inputs[given]
        prediction = parser.get_parsed_content("inferer")(inputs=kept[None].to(device), network=network)
        return after({answer: prediction[0], given: kept})[answer]


@pytest.mark.parametrize("patch", [False, True], ids=["whole", "windows"])
def test_the_deploy_operator_gives_the_mask_of_the_command(tmp_path: Path, patch: bool, monkeypatch: Any) -> None:
    shape = SHAPES["volume"]
    made = bundle(**shape, **({"patch_size": (32, 32, 32)} if patch else {"image_size": (48, 32, 32)}))
    own = {name: shape[name] for name in ("spatial_dims", "in_channels", "out_channels")}
    torch.save(build_network(name="unet_half", seed=1, **own).eval().state_dict(), tmp_path / "student.pt")
    folder = made.write(tmp_path / "bundle", weights=tmp_path / "student.pt", licence=ROOT / "LICENSE")
    name = volume(folder)
    (folder / "configs" / "images.json").write_text(json.dumps({"images": [{"image": name}]}), encoding="utf-8")
    monkeypatch.chdir(folder)
    workflow = ConfigWorkflow("configs/inference.json", workflow_type="infer", logging_file=False)
    workflow.initialize()
    workflow.run()
    (written,) = [path for path in (folder / "eval").iterdir() if path.is_file()]
    script = exported(folder, tmp_path / "model.ts")
    monkeypatch.chdir(tmp_path)
    stored = nib.load(folder / name)
    image = MetaTensor(np.asarray(stored.dataobj, np.float32), affine=torch.as_tensor(stored.affine))
    found = by_operator(script, image)
    mask = np.asarray(nib.load(written).dataobj)
    assert found.shape == (1, *mask.shape) and len(np.unique(mask)) > 1
    assert np.array_equal(found[0].numpy(), mask)


@pytest.mark.parametrize("kind", ["colour", "volume"])
def test_onnx_gives_the_answers_of_torch(tmp_path: Path, kind: str) -> None:
    shape = SHAPES[kind]
    dims = shape["spatial_dims"]
    own = {name: shape[name] for name in ("spatial_dims", "in_channels", "out_channels")}
    network = build_network(name="unet_half", seed=1, **own).eval()
    torch.save(network.state_dict(), tmp_path / "student.pt")
    made = bundle(**shape, image_size=(32,) * dims)
    folder = made.write(tmp_path / "bundle", weights=tmp_path / "student.pt", licence=ROOT / "LICENSE")
    target, size = tmp_path / "model.onnx", [1, shape["in_channels"], *(32,) * dims]
    onnx_export(
        net_id="network_def",
        filepath=str(target),
        ckpt_file=str(folder / "models" / "model.pt"),
        meta_file=str(folder / "configs" / "metadata.json"),
        config_file=str(folder / "configs" / "inference.json"),
        input_shape=size,
    )
    image = torch.randn(size, generator=torch.Generator().manual_seed(0))
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    (answer,) = session.run(None, {session.get_inputs()[0].name: image.numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(answer), network(image), rtol=1e-3, atol=1e-4)
