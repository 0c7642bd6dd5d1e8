"""The export of a committed run."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from scripts.errors import Refused
from scripts.files import write_json, write_tensors
from scripts.identity import file_digest
from scripts.record.run_folder import RunFolder
from scripts.release.export import Export
from scripts.tasks import build_network


def test_the_exported_models_answer_as_the_student(tmp_path: Path) -> None:
    folder = RunFolder(output_dir=tmp_path, log=False)
    network = build_network(name="unet_half", spatial_dims=2, in_channels=1, out_channels=1, seed=3).eval()
    folder.note(state="trial")
    write_tensors(folder.student, network.state_dict())
    sample = torch.zeros(1, 1, 32, 32)
    with pytest.raises(Refused, match="is not committed; run commit first"):
        Export(folder=folder, network=network, sample=sample)
    folder.note(state="committed")
    certificate = folder.release / "certificate.json"
    write_json(certificate, {"models": {"after": "0" * 64}})
    with pytest.raises(Refused, match="student.pt: is not the model that certificate.json is about"):
        Export(folder=folder, network=network, sample=sample)
    write_json(certificate, {"models": {"after": file_digest(folder.student)}})
    Export(folder=folder, network=network, sample=sample).run()
    image = torch.rand(3, 1, 32, 32)
    with torch.no_grad():
        expected = network(image)
        script = torch.jit.load(str(tmp_path / "export" / "model.ts"))
        torch.testing.assert_close(script(image), expected)
        plain = build_network(name="unet_half", spatial_dims=2, in_channels=1, out_channels=1, seed=0).eval()
        plain.load_state_dict(torch.load(tmp_path / "export" / "model.pt", weights_only=True))
        torch.testing.assert_close(plain(image), expected)
    assert sorted(path.name for path in (tmp_path / "export").iterdir()) == ["model.pt", "model.ts"]
