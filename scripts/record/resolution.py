"""What the request was taken to mean, written before the first step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ignite.engine import Engine, Events
from scripts import processes
from scripts.cohort import SETS, Cohort, with_near_duplicates
from scripts.cohort.cohort import image_ids
from scripts.cohort.fingerprints import Fingerprints
from scripts.cohort.loaders import CohortLoaders
from scripts.cohort.membership import read_json_object
from scripts.errors import InputError
from scripts.files import write_json
from scripts.record.run_folder import RunFolder

SHOWN = 3  # look-alikes named on the terminal; all of them are in the resolution


class WriteResolution:
    """Write `private/resolution.json` when forgetting starts; refuse to start in the folder of another run.

    Nothing is written where a resolution is there: it is that of the run that is now resumed, or the run is refused.

    Args:
        prints: by which look-alikes of forget images in the other sets are listed; None: they are not searched for.
        loaders: what forgetting draws from, to be counted in it.
        needs_images: whether forgetting opens images of the forget set; where not, they may be unreadable.
    """

    def __init__(
        self,
        *,
        folder: RunFolder,
        cohort: Cohort,
        prints: Fingerprints | None = None,
        loaders: CohortLoaders | None = None,
        needs_images: bool = True,
    ) -> None:
        self.folder, self.cohort, self.prints = folder, cohort, prints
        self.loaders, self.needs_images = loaders, needs_images

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self)

    def __call__(self, engine: Engine | None = None) -> None:
        processes.once(self._write)

    def _write(self) -> None:
        self.folder.refuse_ended()
        if read_resolution(self.folder) is not None:
            compare_resolution(folder=self.folder, cohort=self.cohort)
            return
        _refuse_without_record(self.folder)
        cohort = self.cohort if self.prints is None else self._searched(self.prints)
        _say_look_alikes(cohort.resolution["near_duplicates"] or [])
        if self.loaders is not None:
            cohort = replace(cohort, resolution={**cohort.resolution, "drawn_from": self.loaders.report()})
        write_json(self.folder.resolution, cohort.resolution)

    def _searched(self, prints: Fingerprints) -> Cohort:
        """The cohort with its look-alikes; without them where the patients' images, which are not needed, are gone."""
        try:
            found = with_near_duplicates(self.cohort, prints.of)
            prints.save()
            return found
        except InputError as error:
            if self.needs_images:
                raise
            print(f"warning: look-alikes were not searched for: {error}", flush=True)
            return self.cohort


def read_resolution(folder: RunFolder) -> dict[str, Any] | None:
    """The resolution of the run in a folder; None where there is none.

    Raises:
        InputError: it cannot be read.
    """
    damaged = f"{folder.resolution}: not a readable resolution; run forget again, in another output_dir"
    try:
        found = read_json_object(folder.resolution)
    except InputError as error:
        raise InputError(damaged) from error
    if found is None:
        return None
    images = found.get("images")
    if not isinstance(images, dict) or not all(isinstance(images.get(name), list) for name in SETS):
        raise InputError(damaged)
    return found


def compare_resolution(*, folder: RunFolder, cohort: Cohort) -> None:
    """Compare the resolution in a folder, where there is one, with a cohort.

    Raises:
        InputError: the run there was asked for by another request, or has other images in a set.
    """
    found = read_resolution(folder)
    if found is None:
        return
    remedy = "give the request and the data settings of that run, or another output_dir"
    if found["images"]["forget"] != image_ids(cohort.forget):
        raise InputError(f"output_dir: {folder.root} holds a run that forgot other images; {remedy}")
    for name in SETS:
        if found["images"][name] != image_ids(cohort.named(name)):
            raise InputError(f"output_dir: {folder.root} holds a run with other images in '{name}'; {remedy}")
        if _patients(found).get(name) != _patients(cohort.resolution).get(name):
            raise InputError(f"output_dir: {folder.root} holds a run with other patients in '{name}'; {remedy}")
    before, now = found.get("request"), cohort.resolution.get("request")
    if before != now:
        names = ["the request itself"]
        if isinstance(before, dict) and isinstance(now, dict):
            names = [name for name in now if before.get(name) != now[name]]
        raise InputError(
            f"output_dir: {folder.root} holds a run of another request ({', '.join(names)} differ); {remedy}"
        )


def _patients(resolution: Mapping[str, Any]) -> Mapping[str, Any]:
    """Set -> patients, as a resolution names them."""
    named = resolution.get("patients")
    return named if isinstance(named, Mapping) else {}


def _has_student(folder: RunFolder) -> bool:
    return folder.adapter.exists() or folder.student.exists()


def _refuse_without_record(folder: RunFolder) -> None:
    """Raise InputError where a folder holds work, and nothing says for which request."""
    if _has_student(folder) or folder.checkpoint("forget").exists():
        raise InputError(
            f"output_dir: {folder.root} holds a student without {folder.resolution.name}, which says what was"
            " forgotten; run forget again, in another output_dir"
        )


def _say_look_alikes(pairs: Sequence[Mapping[str, Any]]) -> None:
    """One line on the terminal: a copy under another patient's name would keep the forgotten image known."""
    if not pairs:
        return
    where = Counter(name for _, name in sorted({(pair["image"], pair["set"]) for pair in pairs}))
    sets = ", ".join(f"{count} in {name}" for name, count in sorted(where.items()))
    names = ", ".join(f"'{pair['image']}' like '{pair['forget']}'" for pair in pairs[:SHOWN])
    print(
        f"warning: images that look like those to forget stay in other sets: {sets} ({names}"
        f"{', ...' if len(pairs) > SHOWN else ''}); if they are copies, add their patients to the request",
        flush=True,
    )
