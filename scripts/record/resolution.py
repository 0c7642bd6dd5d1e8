"""What the request was taken to mean, written before the first step."""

from __future__ import annotations

from ignite.engine import Engine, Events

from scripts.cohort import Cohort, with_near_duplicates
from scripts.data.source import DataSource
from scripts.files import write_json
from scripts.record.run_folder import RunFolder


class WriteResolution:
    """Write `private/resolution.json` when forgetting starts; refuse to start in a run that was reverted.

    Args:
        near_duplicates: also list look-alikes of forget images in the other sets.
    """

    def __init__(self, *, folder: RunFolder, cohort: Cohort, source: DataSource, near_duplicates: bool = True) -> None:
        self.folder, self.cohort, self.source = folder, cohort, source
        self.near_duplicates = bool(near_duplicates)

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine | None = None) -> None:
        self.folder.refuse_reverted()
        cohort = with_near_duplicates(self.cohort, self.source) if self.near_duplicates else self.cohort
        write_json(self.folder.resolution, cohort.resolution)
