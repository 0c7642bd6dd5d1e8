"""What the request was taken to mean, written before the first step."""

from __future__ import annotations

import json
from dataclasses import replace

from ignite.engine import Engine, Events

from scripts import processes
from scripts.cohort import Cohort, with_near_duplicates
from scripts.cohort.cohort import image_ids
from scripts.cohort.loaders import CohortLoaders
from scripts.data.source import DataSource
from scripts.errors import InputError
from scripts.files import write_json
from scripts.record.run_folder import RunFolder


class WriteResolution:
    """Write `private/resolution.json` when forgetting starts; refuse to start in a run that was reverted.

    Args:
        near_duplicates: also list look-alikes of forget images in the other sets.
        loaders: what forgetting draws from, to be counted in it.
    """

    def __init__(
        self,
        *,
        folder: RunFolder,
        cohort: Cohort,
        source: DataSource,
        near_duplicates: bool = True,
        loaders: CohortLoaders | None = None,
    ) -> None:
        self.folder, self.cohort, self.source = folder, cohort, source
        self.near_duplicates = bool(near_duplicates)
        self.loaders = loaders

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine | None = None) -> None:
        processes.once(self._write)

    def _write(self) -> None:
        self.folder.refuse_ended()
        cohort = with_near_duplicates(self.cohort, self.source) if self.near_duplicates else self.cohort
        if self.loaders is not None:
            cohort = replace(cohort, resolution={**cohort.resolution, "drawn_from": self.loaders.report()})
        write_json(self.folder.resolution, cohort.resolution)


def same_request(*, folder: RunFolder, cohort: Cohort, goal: str = "") -> RunFolder:
    """The folder, after comparing what was forgotten in it with what is asked for now.

    Restoring with another request would train on what was just forgotten. A folder without a run passes.

    Raises:
        InputError: other forget images, or another goal.
    """
    before = folder.read_state().get("goal")
    if goal and before and goal != before:
        raise InputError(f"goal: '{goal}' is asked for, but output_dir {folder.root} holds a run of goal '{before}'")
    if folder.resolution.is_file():
        try:
            forgotten = json.loads(folder.resolution.read_text(encoding="utf-8"))["images"]["forget"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{folder.resolution}: not a readable resolution; run forget again") from error
        if forgotten != image_ids(cohort.forget):
            raise InputError(
                f"output_dir: {folder.root} holds a run that forgot other images; give the request and the data"
                " settings of that run, or another output_dir"
            )
    return folder
