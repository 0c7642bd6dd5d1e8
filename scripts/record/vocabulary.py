"""Names that may leave the hospital: an agreed vocabulary of groups; whatever is not in it is given a number.

Site, diagnosis and sex stand in data lists as free text, and free text can name a ward, a family or a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

AGE_BANDS = ("below 40", "40 to 59", "60 and above")
UNKNOWN = frozenset({"", "-", "?", "unknown", "unk", "nan", "na", "n/a", "none", "null", "not reported"})
# Spelling -> name; DICOM's Patient's Sex writes M, F and O.
SEX = (
    dict.fromkeys(("f", "female", "w", "woman", "weiblich"), "female")
    | dict.fromkeys(("m", "male", "man", "maennlich", "männlich"), "male")
    | dict.fromkeys(("o", "other", "d", "divers", "diverse", "x", "intersex", "non binary"), "other")
)
SITES = """
abdomen|acral|ankle|anterior torso|arm|axilla|back|bladder|bone|brain|breast|buttocks|cervix|cheek|chest|colon|ear|elbow
esophagus|eye|face|femur|finger|foot|forearm|forehead|fundus|genital|hand|head|head neck|heart|hip|kidney|knee|larynx
lateral torso|left breast|left eye|left kidney|left lung|leg|lip|liver|lower extremity|lower limb|lung|mouth|nail|neck
nose|oral genital|oral cavity|ovary|palms soles|pancreas|pelvis|posterior torso|prostate|rectum|retina|right breast
right eye|right kidney|right lung|scalp|shoulder|skin|spine|spleen|stomach|testis|thigh|thorax|thyroid|toe|torso|trunk
upper extremity|upper limb|uterus|wrist
"""
# Of ISIC and HAM10000, their abbreviations, and what other public sets ask: nothing rarer.
DIAGNOSES = """
acne|actinic keratosis|adenoma|ak|akiec|angiokeratoma|angioma|basal cell carcinoma|bcc|benign|benign keratosis
benign keratosis like lesion|benign keratosis like lesions|bkl|bowen disease|carcinoma|cyst|dermatofibroma|df
diabetic retinopathy|dysplastic nevus|glaucoma|healthy|hemangioma|keratosis|lentigo|lentigo nos|lentigo simplex
lichen planus like keratosis|lichenoid keratosis|lplk|malignant|mel|melanocytic nevi|melanocytic nevus|melanoma
melanoma metastasis|negative|neurofibroma|nevus|no finding|normal|nv|pneumonia|pneumothorax|polyp|positive
pyogenic granuloma|scc|sebaceous hyperplasia|seborrheic keratosis|sk|solar lentigo|squamous cell carcinoma
tuberculosis|tumor|tumour|vasc|vascular lesion|vascular lesions|verruca|wart
round|lobed
"""  # the last two are the classes of the phantom


def _terms(text: str) -> dict[str, str]:
    return {term.strip(): term.strip() for line in text.strip().splitlines() for term in line.split("|")}


VOCABULARY: Mapping[str, Mapping[str, str]] = {
    "sex": SEX,
    "age": {name: name for name in AGE_BANDS},
    "site": _terms(SITES),
    "diagnosis": _terms(DIAGNOSES),
}


def public_name(attribute: str, value: str) -> str | None:
    """The agreed name of a group; "" where the value says that nothing is known; None: it has none.

    Case, and `_`, `-` and `/` in place of blanks, make no difference.

    Raises:
        ValueError: an attribute by which no groups are made.
    """
    if attribute not in VOCABULARY:
        raise ValueError("subgroups: an attribute that is none of sex, age, site, diagnosis")
    if (plain := " ".join(value.split()).casefold()) in UNKNOWN:
        return ""
    return VOCABULARY[attribute].get(" ".join(re.split(r"[\s_/-]+", plain)))


def group_names(attribute: str, values: Iterable[str]) -> dict[str, str]:
    """Value of the data -> the name under which it may be published, "" where nothing is known.

    Values without an agreed name are numbered in their sorted order: "1", "2", ...

    Raises:
        ValueError: as `public_name`.
    """
    named = {value: public_name(attribute, value) for value in sorted(set(values))}
    others = iter(range(1, len(named) + 1))
    return {value: str(next(others)) if name is None else name for value, name in named.items()}
