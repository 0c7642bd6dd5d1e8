"""The bundles that can be built: what differs between them besides their data overlay."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from bundle.answers import LABEL, STRUCTURE, Answers
from scripts.errors import InputError


@dataclass(frozen=True)
class TaskBundle:
    """One installable bundle.

    Attributes:
        name: folder name, which MONAI takes as the model's name and for its guess at the type of model.
        overlay: data overlay of `configs/` whose values become the defaults.
        data_set: name of the public data set that the overlay is for.
        example: level and id of a request on it.
        answers: the kind of its predictions.
        classes: names of the values of a prediction, in order.
        delivered: file of the weights that the project delivers with their pool, from the repository's root; empty:
            none.
        performance: what was measured of those weights.
        title, task, description, image, data_source, data_licence, references: text for metadata and pages.
    """

    name: str
    overlay: str
    data_set: str
    example: tuple[str, str]
    answers: Answers
    classes: tuple[str, ...]
    title: str
    task: str
    description: str
    image: str
    data_source: str
    data_licence: str
    references: tuple[str, ...]
    delivered: str = ""
    performance: str = ""


METHOD = "Datta and Alam, Erase to Retain, arXiv:2511.16574, 2025"

TASKS = {
    "retina": TaskBundle(
        name="retinal_vessel_unlearning_segmentation",
        overlay="chase.yaml",
        data_set="chase",
        example=("patient", "01"),
        answers=STRUCTURE,
        classes=("background", "vessel"),
        title="Retinal vessel unlearning segmentation",
        task="Segmentation of vessels in fundus photographs, with deletion requests",
        description="A network that segments retinal vessels, with the workflows that make it forget named children",
        image="colour fundus photograph, RGB",
        data_source="CHASE_DB1, https://researchdata.kingston.ac.uk/96/",
        data_licence=(
            "CHASE_DB1 is published by Kingston University London and St George's, University of London\n"
            "(https://researchdata.kingston.ac.uk/96/) and is listed elsewhere as CC BY 4.0. Check the terms at the\n"
            "source before use."
        ),
        references=("Fraz et al., IEEE Transactions on Biomedical Engineering 59(9), 2012", METHOD),
        delivered="models/retina/model.pt",
        performance="On the four test children (11 to 14, eight images, 256 x 256): Dice 0.783, IoU 0.644, 16 % of the "
        "vessel pixels missed, against the first observer; the two observers agree with each other at Dice 0.777. "
        "After the request for child 01 below: Dice 0.779 on the test children. Trained with augmentation, the teacher "
        "knows a child hardly better than a stranger: little is there to forget.",
    ),
    "dermoscopy": TaskBundle(
        name="dermoscopy_lesion_unlearning_segmentation",
        overlay="isic.yaml",
        data_set="isic",
        example=("image", "ISIC_0012464"),
        answers=STRUCTURE,
        classes=("background", "lesion"),
        title="Dermoscopy lesion unlearning segmentation",
        task="Segmentation of skin lesions in dermoscopy images, with deletion requests",
        description="A network that segments skin lesions, with the workflows that make it forget named lesions or "
        "a diagnosis",
        image="dermoscopy image, RGB",
        data_source="ISIC 2018 Task 1, https://challenge.isic-archive.com/data/#2018",
        data_licence=(
            "The ISIC 2018 challenge data is listed as CC BY-NC 4.0 (https://challenge.isic-archive.com/data/#2018).\n"
            "Check the terms at the source before use."
        ),
        references=(
            "Codella et al., arXiv:1902.03368, 2019",
            "Tschandl et al., Scientific Data 5:180161, 2018",
            METHOD,
        ),
    ),
    "dermoscopy_classification": TaskBundle(
        name="dermoscopy_lesion_unlearning_classification",
        overlay="isic_classification.yaml",
        data_set="isic_classification",
        example=("image", "ISIC_0000020"),
        answers=LABEL,
        classes=("melanoma", "nevus", "seborrheic keratosis"),
        title="Dermoscopy lesion unlearning classification",
        task="Classification of skin lesions in dermoscopy images, with deletion requests",
        description="A network that classifies skin lesions, with the workflows that make it forget named lesions or "
        "a diagnosis",
        image="dermoscopy image, RGB",
        data_source="ISIC 2017 Part 3, https://challenge.isic-archive.com/data/#2017",
        data_licence=(
            "ISIC lists the 2017 challenge data as CC-0 (https://challenge.isic-archive.com/data/#2017). Check the\n"
            "terms at the source before use."
        ),
        references=("Codella et al., arXiv:1710.05006, 2017", METHOD),
    ),
}


def task_bundle(name: str) -> TaskBundle:
    """The bundle of a task.

    Raises:
        InputError: unknown task.
    """
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        raise InputError(f"--task: '{name}' is not one of {', '.join(TASKS)}{hint}")
    return TASKS[name]
