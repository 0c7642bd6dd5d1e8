"""A canary: what would run when a config is parsed is found before, named, and does not run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scripts.errors import InputError
from scripts.foreign.folder import ForeignFolder
from scripts.foreign.scan import require_trust, scan

PLAIN = {
    "network_def": {"_target_": "UNet", "spatial_dims": 2, "channels": "@channels"},
    "channels": [4, 8],
    "optimizer": {"_target_": "torch.optim.Adam"},
    "handlers": [{"_target_": "ignite.handlers.TerminateOnNan"}, {"_target_": "monai.handlers.StatsHandler"}],
    "transform": {"_target_": "Compose", "transforms": [{"_target_": "LoadImaged", "keys": "image"}]},
    "cost": "5 $ a piece, 3 %",
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Three configs in which nothing is code."""
    folder = tmp_path / "bundle"
    (folder / "configs").mkdir(parents=True)
    for name in ("train", "inference", "metadata"):
        (folder / "configs" / f"{name}.json").write_text(json.dumps(PLAIN), encoding="utf-8")
    return folder


def put(bundle: Path, key: str, value: Any, *, file: str = "train") -> None:
    path = bundle / "configs" / f"{file}.json"
    path.write_text(json.dumps({**PLAIN, key: value}), encoding="utf-8")


def test_blocks_of_monai_and_torch_need_no_trust(bundle: Path) -> None:
    assert scan(ForeignFolder(bundle)) == []
    require_trust(ForeignFolder(bundle), "")


@pytest.mark.parametrize(
    "value",
    [
        "$open('CANARY', 'w')",
        " $open('CANARY', 'w')",
        "%configs/train.json::network_def",
        {"_target_": "os.system", "command": "touch CANARY"},
        {"_target_": "builtins.open", "file": "CANARY", "mode": "w"},
        {"_target_": "open", "file": "CANARY", "mode": "w"},
        {"_target_": "exec", "_args_": ["open('CANARY', 'w')"]},
        {"_target_": "monai.data.utils.os.system", "command": "touch CANARY"},
        {"_target_": "monai.bundle.run", "config_file": "other.json"},
        {"_target_": "monai.utils.misc.run_cmd", "cmd_list": ["touch", "CANARY"]},
        {"_target_": "monai.apps.download_url", "url": "http://127.0.0.1"},
        {"_target_": "torch.load", "f": "models/model.pt"},
        {"_target_": "torch.nn.modules.module.torch.load", "f": "models/model.pt"},
        {"_target_": "scripts.net.OrganNet"},
        {"_target_": "$@other"},
        {"_target_": ["os.system"]},
        [{"deep": [{"_target_": "subprocess.run", "args": ["touch", "CANARY"]}]}],
    ],
)
@pytest.mark.parametrize("file", ["train", "inference", "metadata", "extra"])
def test_code_is_named_and_does_not_run(bundle: Path, tmp_path: Path, value: Any, file: str) -> None:
    canary = tmp_path / "canary"
    put(bundle, "victim", json.loads(json.dumps(value).replace("CANARY", str(canary))), file=file)
    with pytest.raises(InputError) as found:
        require_trust(ForeignFolder(bundle), "")
    assert f"configs/{file}.json: victim" in str(found.value)
    assert "--trust_foreign sha256:" in str(found.value)
    assert not canary.exists()


@pytest.mark.parametrize(
    "name", ["scripts/net.py", "helper.py", "configs/logging.conf", "models/fast.so", "docs/x.ipynb"]
)
def test_programs_are_named(bundle: Path, name: str) -> None:
    (bundle / name).parent.mkdir(exist_ok=True)
    (bundle / name).write_text("", encoding="utf-8")
    assert [str(one.path) for one in scan(ForeignFolder(bundle))] == [name]


def test_the_digest_lets_it_pass_and_no_other(bundle: Path) -> None:
    put(bundle, "victim", "$1 + 1")
    folder = ForeignFolder(bundle)
    require_trust(folder, folder.digest)
    with pytest.raises(InputError, match="has changed since it was read"):
        require_trust(folder, "sha256:" + "0" * 64)
    pinned = folder.digest
    put(bundle, "victim", "$1 + 2")
    with pytest.raises(InputError, match="has changed since it was read"):
        require_trust(ForeignFolder(bundle), pinned)


def test_what_is_listed_is_safe_to_print(bundle: Path) -> None:
    put(bundle, "victim", "$print('\x1b[2J')\n" + "x" * 5000)
    (finding,) = scan(ForeignFolder(bundle))
    assert "\x1b" not in str(finding)
    assert "\n" not in str(finding)
    assert len(str(finding)) < 2000
