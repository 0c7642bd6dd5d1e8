"""A foreign bundle's own transforms around our records: what they load and prepare, and how labels are told apart."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import torch
from monai.transforms import Compose, Randomizable, RandomizableTrait, Transform
from monai.utils import fall_back_tuple
from scripts.data.preparation import Preparation
from scripts.data.source import Record, files_of
from scripts.data.transforms import KEPT, SPACING, PlainTensors, augmentation
from scripts.data.volumes import check_pair, is_volume
from scripts.errors import InputError, chain
from scripts.foreign.bundle import PREPARED, TRAINING, ForeignBundle
from scripts.tasks.registry import TASKS

OWN = "bundle"  # the augmentation that is the bundle's


def foreign_preparation(bundle: ForeignBundle, records: Sequence[Record]) -> Preparation:
    """The preparation that a bundle's own configs describe.

    Training takes patches by the bundle's own random crops; whole images are answered by its own inferer.

    Args:
        records: of its data list; on the first whose file is there sizes are looked up.
    """
    transform = Compose([BundleTransform(bundle)])
    fixed, random = _halves(_steps(bundle.part(TRAINING)))
    crops = [one for one in random if _sizes(one)]
    if crops:
        # What is padded before patches are taken in training may not be in validation.
        crops = [one for one in fixed if "Pad" in type(one).__name__] + crops
    others = [one for one in random if not _sizes(one)]
    numbered = TASKS[bundle.task].exclusive and TASKS[bundle.task].masks

    def chosen(name: str) -> Sequence[Any]:
        if name == OWN:
            return [AsInBundle(others, numbered=numbered)] if others else []
        return augmentation(name, spatial_dims=bundle.spatial_dims, masks=TASKS[bundle.task].masks, normalise="none")

    own: list[Any] = [AsInBundle(crops, numbered=numbered)] if crops else []
    item: Any = transform(next(one for one in records if os.path.isfile(files_of(one["image"])[0])))
    for step in own:
        step.set_random_state(seed=0)
        item = step(item)
        item = item[0] if isinstance(item, list) else item
    size = tuple(item["image"].shape[1:])
    own_inferer = bundle.has("validate::inferer")
    inferer = bundle.part("validate::inferer") if own_inferer else bundle.part("inferer", config="inference")
    # Trained on whole images, and yet answered by windows: what is larger than one goes through the inferer.
    window = tuple(fall_back_tuple(inferer.roi_size, size)) if hasattr(inferer, "roi_size") else ()
    return Preparation(
        transform=transform,
        random=chosen,
        crops=own,
        inferer=inferer,
        patch=size if own else window,
        size=size,
    )


def _halves(steps: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The transforms before the first random one, and the others."""
    random = [place for place, one in enumerate(steps) if isinstance(one, (Randomizable, RandomizableTrait))]
    start = random[0] if random else len(steps)
    return list(steps[:start]), list(steps[start:])


def _deterministic(bundle: ForeignBundle) -> list[Any]:
    """The transforms of validation; where the bundle has none, those of training up to the first random one."""
    if bundle.has(PREPARED):
        return _steps(bundle.part(PREPARED))
    return _halves(_steps(bundle.part(TRAINING)))[0]


def _steps(transform: Any) -> list[Any]:
    return list(transform.flatten().transforms) if isinstance(transform, Compose) else [transform]


def _sizes(transform: Any) -> bool:
    """Whether a transform takes a part of an image, or brings it to the size of one."""
    name = type(transform).__name__
    return "Crop" in name or "Pad" in name


class BundleTransform(Transform):
    """A record through a bundle's deterministic transforms, to the tensors and keys that we go on with.

    Raises:
        InputError: the transforms fail, or give no image and label of the bundle's own form; the file is named.
    """

    def __init__(self, bundle: ForeignBundle) -> None:
        self.digest = bundle.folder.digest
        self.steps = _deterministic(bundle)
        self.turns = any(type(step).__name__ in ("Orientationd", "Spacingd", "ResampleToMatchd") for step in self.steps)
        self.label = BundleLabel(bundle)
        self.channels, self.dims = bundle.channels, bundle.spatial_dims
        self.plain = PlainTensors(("image",))

    def __getstate__(self) -> dict[str, Any]:
        """What prepared images follow from: their cache asks for it."""
        return {"digest": self.digest}

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        given = dict(data)
        path = files_of(given["image"])[0]
        check_pair(files_of(given["image"]), files_of(given["label"]), turned=self.turns)
        record: Any = {key: given[key] for key in ("image", "label")}
        try:
            for step in self.steps:
                record = step(record)
        except Exception as error:  # whatever the bundle's transforms raise
            first = list(chain(error))[-1]
            reason = (str(first).splitlines() or [""])[0]
            raise InputError(f"{path}: the bundle's transforms fail ({type(first).__name__}: {reason})") from error
        if not isinstance(record, Mapping) or not torch.is_tensor(record.get("image")):
            raise InputError(f"{path}: the bundle's transforms give no 'image' tensor")
        image = record["image"]
        if image.ndim != self.dims + 1 or image.shape[0] != self.channels:
            raise InputError(
                f"{path}: is prepared to {tuple(image.shape)}; the bundle's metadata say {self.channels} channels and"
                f" {self.dims} spatial axes"
            )
        found = {**given, "image": image.float(), "label": self.label(record["label"], image, path)}
        if is_volume(path) and hasattr(image, "pixdim"):
            found[SPACING] = torch.as_tensor(image.pixdim)[: self.dims].float()
        return {key: found[key] for key in (*KEPT, SPACING) if key in found} | {"image": self.plain(found)["image"]}


class BundleLabel:
    """A label as a bundle prepares it to the form of our tasks: masks (S, ...), or a class number."""

    def __init__(self, bundle: ForeignBundle) -> None:
        self.task, self.outputs = TASKS[bundle.task](), bundle.outputs
        self.structures = len(bundle.classes)

    def __call__(self, label: Any, image: torch.Tensor, path: str) -> torch.Tensor:
        value = torch.as_tensor(label.as_tensor() if hasattr(label, "as_tensor") else label)
        if not self.task.masks:
            return self._number(value, path)
        if value.shape[1:] != image.shape[1:]:
            raise InputError(f"{path}: its mask is prepared to {tuple(value.shape)}, the image to {tuple(image.shape)}")
        if self.task.exclusive and value.shape[0] == 1:
            numbers = value[0].round()
            odd = numbers[(numbers < 0) | (numbers > self.structures)]
            if len(odd):
                raise InputError(f"{path}: its mask holds {odd[0].item():g}; allowed are 0 to {self.structures}")
            return torch.stack([(numbers == number).float() for number in range(1, self.structures + 1)])
        if self.task.exclusive and value.shape[0] == self.structures + 1:
            value = value[1:]
        if value.shape[0] != self.structures:
            raise InputError(
                f"{path}: its mask is prepared to {value.shape[0]} channels; the network answers for"
                f" {self.structures} structures"
            )
        return (value > 0.5).float()

    def _number(self, value: torch.Tensor, path: str) -> torch.Tensor:
        if value.numel() == self.outputs > 1:
            value = value.flatten().argmax()
        if value.numel() != 1 or not 0 <= int(value) < self.outputs:
            raise InputError(
                f"{path}: its label is prepared to {value.tolist()}; allowed is a number below {self.outputs}"
            )
        return value.reshape(()).long()


class AsInBundle(Randomizable):
    """Random transforms of a bundle, which see labels as the bundle writes them: numbers, where structures exclude
    one another.

    Returns:
        One item, or a list where a transform takes several patches of an image.
    """

    def __init__(self, steps: Sequence[Any], *, numbered: bool) -> None:
        self.steps, self.numbered = Compose(list(steps)), numbered
        self.plain = PlainTensors()

    def set_random_state(self, seed: int | None = None, state: Any = None) -> AsInBundle:
        super().set_random_state(seed, state)
        self.steps.set_random_state(seed, state)
        return self

    def randomize(self, data: Any = None) -> None:
        """The steps draw by themselves."""

    def __call__(self, data: Mapping[Hashable, Any]) -> Any:
        record = dict(data)
        structures = record["label"].shape[0] if self.numbered else 0
        if self.numbered:
            weights = torch.arange(1, structures + 1).reshape(-1, *[1] * (record["label"].ndim - 1))
            record["label"] = (record["label"] * weights).amax(0, keepdim=True)
        found = self.steps(record)
        items = found if isinstance(found, list) else [found]
        done = [self._back({key: item[key] for key in record}, structures) for item in items]
        return done if isinstance(found, list) else done[0]

    def _back(self, item: dict[Hashable, Any], structures: int) -> dict[Hashable, Any]:
        item = dict(self.plain(item))
        if self.numbered:
            numbers = item["label"][0].round()
            item["label"] = torch.stack([(numbers == number).float() for number in range(1, structures + 1)])
        return item
