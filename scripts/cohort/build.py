"""From the settings of a config to a cohort, and to the records a model is trained on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from scripts.cohort.cohort import Cohort, Record, units
from scripts.cohort.membership import Teacher
from scripts.cohort.model_record import WHOLE, ModelRecord, trained_on
from scripts.cohort.near_duplicates import with_near_duplicates
from scripts.cohort.provenance import check_provenance, check_reference_class, check_whole, recorded_membership
from scripts.cohort.resolve import resolve
from scripts.cohort.split import AUTO_FOLDS
from scripts.cohort.split_file import RecordedSplit
from scripts.data.source import DataSource
from scripts.errors import InputError
from scripts.messages import number_of
from scripts.request import read_request

FOLD_TEACHERS = "model_fold*.pt"


def build_cohort(
    source: DataSource,
    *,
    request: str = "",
    forget_ratio: float = 0.0,
    needs_forget: bool = False,
    seed: int = 0,
    validation_share: float = 0.1,
    test_share: float = 0.1,
    guard_share: float = 0.0,
    folds: int | str = 0,
    split_path: str | Path | None = None,
    model: str | Path | None = None,
    fold: int = WHOLE,
    trust_unrecorded: bool = False,
    gone_images: Collection[str] | Callable[[Sequence[Record]], Collection[str]] = (),
    goal: str = "unlearn",
    reference: str = "none",
) -> Cohort:
    """The cohort of a request file, of a drawn share, or of neither: then nothing is to be forgotten.

    Args:
        request: path of a request.csv, or empty.
        forget_ratio: share of the training patients, where no request is given.
        needs_forget: whether an empty forget set is an error.
        seed, validation_share, test_share, guard_share, folds: of the split, see `resolve`.
        split_path: the recorded split; where there is no such file, the first split is made by the rule.
        model: weights of the teacher that is to forget; None where a model is to be trained.
        fold: that the model was trained without, where a fold teacher is what forgets; -1: a teacher of all folds.
        trust_unrecorded: whether a teacher without a record of who was in it may pass, with a warning.
        gone_images: ids of images that were forgotten before, or a function of all records that gives them.
        goal, reference: of the recipe: a class cannot be unlearned with fold teachers as the reference.

    Raises:
        InputError: as `read_request` and `resolve`; both or neither of request and forget_ratio where one is needed;
            the teacher is refused, see `check_provenance`.
        Refused: the request names what was forgotten before.
    """
    if request and forget_ratio:
        raise InputError(f"request: '{request}' and forget_ratio: {forget_ratio} are both given; give one of them")
    if needs_forget and not request and not forget_ratio:
        raise InputError("request: nothing to forget; give --request FILE, or --forget_ratio SHARE for research")
    recorded = RecordedSplit.read(split_path) if split_path else None
    if recorded is not None:
        check_folds_setting(recorded, folds)
    asked = read_request(request) if request else None
    teacher = None if model is None else _teacher(model, trust_unrecorded=trust_unrecorded, fold=fold)
    cohort = resolve(
        source,
        request=asked,
        forget_ratio=forget_ratio,
        seed=seed,
        validation_share=validation_share,
        test_share=test_share,
        guard_share=guard_share,
        folds=folds,
        recorded=recorded,
        teacher=teacher,
        gone=gone_images(source.records()) if callable(gone_images) else gone_images,
    )
    if cohort.gone:
        images, patients = number_of(len(cohort.gone), "image"), number_of(len(units(cohort.gone)), "patient")
        print(f"tombstones: {images} of {patients} left out, forgotten before", flush=True)
    if teacher is not None:
        cohort.resolution["trusted"] = teacher.membership is None
        check_provenance(teacher.path, cohort, trust_unrecorded=trust_unrecorded, fold=fold)
    if model is not None and goal == "unlearn" and reference == "fold":
        check_reference_class(cohort)
    return cohort


def check_folds_setting(recorded: RecordedSplit, folds: int | str) -> None:
    """Raise InputError where fold teachers were trained with another number of folds than is asked for.

    0 asks for none, `auto` for those that there are: both leave the folds as they are.
    """
    teachers = list(Path(recorded.path).parent.glob(FOLD_TEACHERS))
    if folds not in (0, AUTO_FOLDS) and recorded.folds and folds != recorded.folds and teachers:
        raise InputError(
            f"{recorded.path}: the split was made with folds = {recorded.folds}, not {folds}, and fold teachers were"
            " trained with them; give the number of folds of the training, or another model_dir"
        )


def _teacher(model: str | Path, *, trust_unrecorded: bool, fold: int) -> Teacher:
    """The teacher and who was in it, before anything is resolved for it."""
    path = Path(model)
    if not path.is_file():
        raise InputError(f"{path}: no such checkpoint")
    record = ModelRecord.read(path)
    if record is not None:
        check_whole(path, record, fold=fold)
    return Teacher(path, recorded_membership(path, trust_unrecorded=trust_unrecorded))


def request_name(cohort: Cohort) -> str:
    """The request's id, or a name made of ratio and seed: the default name of a run."""
    request = cohort.resolution.get("request")
    if request:
        return str(request["request_id"])
    settings = cohort.resolution["settings"]
    return f"ratio-{settings['forget_ratio']:g}-seed-{settings['seed']}"


def training_records(cohort: Cohort, *, fold: int = -1) -> tuple[Record, ...]:
    """The training set without the patients of `fold`, the forget records among it: see `left_out`.

    Raises:
        InputError: there is no such fold; a model that leaves nobody out is no fold teacher.
    """
    folds = 0 if cohort.recorded is None else cohort.recorded.folds
    if cohort.recorded is not None and fold >= 0 and fold >= folds:
        raise InputError(f"fold: {fold} is not below folds, {folds}; allowed: -1 for none, or from 0 below folds")
    return cohort.training(fold)


def left_out(cohort: Cohort, *, fold: int = -1) -> list[int]:
    """Positions in `training_records` of what is to be forgotten.

    A retrained model that leaves them out of its batches is paired with the original of its seed: initial weights,
    order, random transforms and number of steps are the same.
    """
    kept = {record["image_id"] for record in trained_on(cohort, fold=fold)}
    return [position for position, record in enumerate(cohort.training(fold)) if record["image_id"] not in kept]


def check_split(path: str | Path, cohort: Cohort) -> RecordedSplit:
    """The split to be written to `path`: the cohort's, or where a file is there, that file with who is new.

    Raises:
        InputError: the file holds a split in which a patient of the cohort has another place or fold.
    """
    assert cohort.recorded is not None and cohort.split is not None, "a cohort made by hand has no split to record"
    there = RecordedSplit.read(path)
    if there is None:
        return cohort.recorded
    if there.salt == cohort.recorded.salt:
        return cohort.recorded.merged(there)
    # Another process made the first split at the same time, under a salt of its own.
    there.check_settings(**cohort.recorded.settings)
    there = there.with_folds(cohort.recorded.folds, cohort.split.place)
    gone = {unit for unit in cohort.split.place if cohort.recorded.digest(unit) not in cohort.recorded.places}
    mine = {unit: place for unit, place in cohort.split.place.items() if unit not in gone}
    places = {unit: there.places.get(there.digest(unit)) for unit in mine}
    folds = {unit: there.fold.get(there.digest(unit)) for unit in cohort.split.folds if unit in mine}
    if places != mine or folds != {unit: fold for unit, fold in cohort.split.folds.items() if unit in mine}:
        raise InputError(f"{path}: holds another split than this training; give another model_dir, or set split_path")
    return there


def record_split(path: str | Path, cohort: Cohort) -> None:
    """Write the split at the first training; later ones add who is new, and move nobody."""
    before = RecordedSplit.read(path)
    split = check_split(path, cohort)
    new = len(split.places) - (0 if before is None else len(before.places))
    if before is not None and new == 0 and before.folds == split.folds:
        return
    split.write(path)
    if before is not None and new:
        print(f"{Path(path).name}: {new} new patients were added; nobody else moved", flush=True)


__all__ = [
    "build_cohort",
    "check_split",
    "left_out",
    "record_split",
    "request_name",
    "training_records",
    "with_near_duplicates",
]
