"""What a foreign bundle's own train and inference configs say: network, transforms, inferer, data list, task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from scripts.errors import InputError, chain
from scripts.foreign.folder import ForeignFolder, read_plain
from scripts.foreign.package import foreign_imports
from scripts.foreign.scan import require_trust
from scripts.tasks.registry import TASKS
from torch import nn

TRAINED_ON, VALIDATED_ON = "train::dataset::data", "validate::dataset::data"
TRAINING, PREPARED = "train::preprocessing", "validate::preprocessing"
NEEDED = ("network_def", TRAINED_ON, TRAINING, "train::trainer::max_epochs")  # of the train config
BACKGROUND = "background"


class ForeignBundle:
    """A bundle that was scanned, and is parsed part by part: only what is asked for is ever made.

    Args:
        path: its folder.
        trust: digest of a bundle whose code was read, see `require_trust`.
        dataset_dir: in place of the config's own; empty takes that.
        task: in place of what the config's activation says; empty takes that.

    Raises:
        InputError: it is no bundle, holds code that is not trusted, or lacks what unlearning needs.
    """

    def __init__(self, path: str | Path, *, trust: str = "", dataset_dir: str | Path = "", task: str = "") -> None:
        self.folder = ForeignFolder(path)
        require_trust(self.folder, trust)
        self.dataset_dir, self._task = str(dataset_dir), task
        self._parsers: dict[str, Any] = {}
        content = read_plain(self.folder.train)
        for key in NEEDED:
            if not _has(content, key):
                raise InputError(f"{self.folder.train}: lacks '{key}', which a bundle's training needs")
        data_format = self._metadata.get("network_data_format")
        if not isinstance(data_format, Mapping) or not all(data_format.get(name) for name in ("inputs", "outputs")):
            raise InputError(f"{self.folder.metadata}: lacks 'network_data_format' with inputs and outputs")

    # -- parts of its configs

    def has(self, key: str, *, config: str = "train") -> bool:
        """Whether one of its configs has an entry."""
        return _has(read_plain(getattr(self.folder, config)), key)

    def part(self, key: str, *, config: str = "train") -> Any:
        """An entry of one of its configs, made as MONAI makes it.

        Raises:
            InputError: it cannot be made; file, id and reason are named.
        """
        path = getattr(self.folder, config)
        try:
            with foreign_imports(self.folder.root):
                return self._parser(config).get_parsed_content(key)
        except Exception as error:  # whatever the bundle's own parts raise
            first = list(chain(error))[-1]
            reason = (str(first).splitlines() or [""])[0]
            raise InputError(f"{path}: {key}: cannot be made ({type(first).__name__}: {reason})") from error

    def network(self) -> nn.Module:
        """The untrained network."""
        found = self.part("network_def")
        if not isinstance(found, nn.Module):
            raise InputError(f"{self.folder.train}: network_def: is no network; allowed is a torch module")
        return found

    def _parser(self, config: str) -> Any:
        from monai.bundle import ConfigParser

        if config not in self._parsers:
            parser = ConfigParser()
            parser.read_config(f=str(getattr(self.folder, config)))
            parser.read_meta(f=str(self.folder.metadata))
            parser.update(pairs=self.places(str(self.folder.root), read_plain(getattr(self.folder, config))))
            parser.parse(reset=True)
            self._parsers[config] = parser
        return self._parsers[config]

    def places(self, root: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Where a config finds itself and its data, as far as it asks."""
        found = {"bundle_root": root}
        if self.dataset_dir and "dataset_dir" in content:
            found["dataset_dir"] = str(Path(self.dataset_dir).expanduser().resolve())
        return found

    # -- what they come to

    @cached_property
    def _metadata(self) -> dict[str, Any]:
        return read_plain(self.folder.metadata)

    @property
    def name(self) -> str:
        """Of the bundle: its folder's."""
        return self.folder.root.name

    @cached_property
    def _input(self) -> Mapping[str, Any]:
        return _first(self._metadata["network_data_format"]["inputs"], self.folder.metadata, "inputs")

    @cached_property
    def _output(self) -> Mapping[str, Any]:
        return _first(self._metadata["network_data_format"]["outputs"], self.folder.metadata, "outputs")

    @property
    def settings(self) -> dict[str, Any]:
        """Values of our settings that follow from the bundle; its digest too, so that all that is made knows it."""
        return {
            "trust_foreign": self.folder.digest,
            "task": self.task,
            "spatial_dims": self.spatial_dims,
            "in_channels": self.channels,
            "out_channels": self.outputs,
            "image_size": None,
            "patch_size": None,
        }

    @property
    def spatial_dims(self) -> int:
        return len(self._input["spatial_shape"])

    @property
    def channels(self) -> int:
        return int(self._input["num_channels"])

    @property
    def outputs(self) -> int:
        """Channels of the network's answer."""
        return int(self._output["num_channels"])

    @cached_property
    def task(self) -> str:
        """Name of the task, from the activation after the network and from what a label is.

        Raises:
            InputError: the configs do not say.
        """
        able = [name for name, kind in TASKS.items() if kind.masks is not self.by_number and not kind.graded]
        if self._task:
            if self._task not in able:
                raise InputError(f"task: {self._task}, but the bundle's labels are those of {' or '.join(able)}")
            return self._task
        softmax = self._activation()
        named = {
            (True, True): "classification",
            (True, False): "multiclass_segmentation",
            (False, False): "segmentation" if self.outputs == 1 else "multilabel_segmentation",
        }
        if softmax is None or (softmax, self.by_number) not in named:
            raise InputError(
                f"task: neither postprocessing nor loss of {self.folder.root} says whether its network answers by"
                f" softmax or by sigmoid; give --task {'|'.join(able)}"
            )
        return named[softmax, self.by_number]

    @cached_property
    def by_number(self) -> bool:
        """Whether labels are class numbers and not files."""
        entries = self.entries(TRAINED_ON)
        return not isinstance(entries[0].get("label"), (str, list))

    def entries(self, key: str) -> list[dict[str, Any]]:
        """Entries of a data list as the config gives them.

        Raises:
            InputError: it is no list of objects with image and label.
        """
        found = self.part(key)
        sound = isinstance(found, (list, tuple)) and found and all(isinstance(entry, Mapping) for entry in found)
        if not sound:
            raise InputError(f"{self.folder.train}: {key}: is empty, or no list of entries with image and label")
        return [dict(entry) for entry in found]

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Structures or classes, by the names of the metadata."""
        count = TASKS[self.task]().classes(self.outputs)
        named = self._output.get("channel_def")
        names = [str(named[key]) for key in sorted(named, key=int)] if isinstance(named, Mapping) else []
        if len(names) == count + 1 and names[0].lower() == BACKGROUND:
            names = names[1:]
        return tuple(names) if len(names) == count else tuple(f"structure_{k}" for k in range(1, count + 1))

    def _activation(self) -> bool | None:
        """Whether softmax, and not sigmoid, follows the network; None where that stands nowhere."""
        inference, train = read_plain(self.folder.inference), read_plain(self.folder.train)
        places = (inference.get("postprocessing"), _get(train, "validate::postprocessing"), _get(train, "loss"), train)
        for place in places:
            flags = _flags(place)
            if flags.get("softmax") is not flags.get("sigmoid") and (flags.get("softmax") or flags.get("sigmoid")):
                return bool(flags.get("softmax"))
        return None


def _flags(content: Any) -> dict[str, bool]:
    """Which of softmax and sigmoid is set to true somewhere in it."""
    found: dict[str, bool] = {}
    children: Sequence[Any] = ()
    if isinstance(content, Mapping):
        found = {name: True for name in ("softmax", "sigmoid") if content.get(name) is True}
        children = list(content.values())
    elif isinstance(content, list):
        children = content
    for child in children:
        found |= _flags(child)
    return found


def _get(content: Any, key: str) -> Any:
    for part in key.split("::"):
        # An entry may also be written with its whole id as key.
        content = content.get(part) if isinstance(content, Mapping) else None
    return content


def _has(content: Mapping[str, Any], key: str) -> bool:
    return _get(content, key) is not None or key in content or key.replace("::", "#") in content


def _first(entries: Any, path: Path, name: str) -> Mapping[str, Any]:
    """The first input or output that the metadata describe: image, or pred."""
    found = next(iter(entries.values())) if isinstance(entries, Mapping) else None
    shape = isinstance(found, Mapping) and isinstance(found.get("spatial_shape"), list)
    if not isinstance(found, Mapping) or not isinstance(found.get("num_channels"), int) or not shape:
        raise InputError(f"{path}: network_data_format::{name}: lacks num_channels or spatial_shape")
    return found
