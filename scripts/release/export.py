"""`run export`: the committed model in the forms that others load."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from scripts.errors import InputError, Refused
from scripts.files import atomic_path, read_json
from scripts.identity import file_digest
from scripts.record.run_folder import RunFolder
from scripts.release.inference_bundle import NAME, InferenceBundle
from torch import nn

TOLERANCE = 1e-5
LICENCE = Path(__file__).resolve().parents[2] / "LICENSE"


def committed_certificate(folder: RunFolder) -> dict[str, Any]:
    """The certificate of a committed run.

    Raises:
        Refused: the run is not committed, or the student is not the model that the certificate is about.
    """
    if folder.read_state().get("state") != "committed":
        raise Refused(f"output_dir: {folder.root} is not committed; run commit first")
    path = folder.release / "certificate.json"
    found = read_json(path, remedy="restore the folder from where it was kept")
    models = found.get("models")
    if not isinstance(models, dict) or models.get("after") != file_digest(folder.student):
        raise Refused(f"{folder.student}: is not the model that {path.name} is about")
    return found


class Export:
    """Write `model.pt`, the plain state dict, and `model.ts`, TorchScript, into `export/` of the run.

    Args:
        folder: of a committed run.
        network: with the released weights, in eval mode.
        sample: an input of the usual size; TorchScript may hold to it, where a network pads or crops by its input.
        bundle: certificate -> the inference bundle to be written beside them; None writes none.
    """

    def __init__(
        self,
        *,
        folder: RunFolder,
        network: nn.Module,
        sample: torch.Tensor,
        bundle: Callable[[Mapping[str, Any]], InferenceBundle] | None = None,
    ) -> None:
        certificate = committed_certificate(folder)
        self.bundle = bundle(certificate) if bundle is not None else None
        self.folder, self.network, self.sample = folder, network, sample

    @torch.no_grad()
    def run(self) -> None:
        """Export, and compare what was written with the network.

        Raises:
            InputError: a file is in the place of the folder.
            RuntimeError: the TorchScript answers otherwise.
        """
        target = Path(self.folder.root) / "export"
        if target.exists() and not target.is_dir():
            raise InputError(f"output_dir: {target} is a file; a folder is needed")
        target.mkdir(exist_ok=True)
        network = self.network.eval()
        # Weights in the usual memory format: whoever loads them decides about another.
        network, sample = network.to(memory_format=torch.contiguous_format), self.sample.contiguous()
        sample = torch.rand(sample.shape, generator=torch.Generator().manual_seed(0))
        with warnings.catch_warnings():
            # A network that pads by its input's size says so at every layer.
            warnings.simplefilter("ignore", torch.jit.TracerWarning)
            script = torch.jit.trace(network, sample, check_trace=False)
        sample = torch.cat([sample, sample.flip(-1)])
        expected = network(sample)
        with atomic_path(target / "model.ts") as temporary:
            torch.jit.save(script, str(temporary))
            found = torch.jit.load(str(temporary))(sample)
            if not torch.allclose(found, expected, atol=TOLERANCE):
                raise RuntimeError("the TorchScript does not answer as the network does")
        with atomic_path(target / "model.pt") as temporary:
            shutil.copyfile(self.folder.student, temporary)
        print(f"exported: {target / 'model.pt'} (plain weights), {target / 'model.ts'} (TorchScript)")
        if self.bundle is None:
            return
        if problem := self.bundle.problem():
            print(f"no inference bundle of MONAI's own parts: {problem}")
            return
        made = self.bundle.write(target / NAME, weights=self.folder.student, licence=LICENCE)
        print(f"exported: {made} (a bundle for inference, of MONAI's own parts alone)")
