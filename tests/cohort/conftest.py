"""A data set of dicts, and pictures drawn from a seed."""

from __future__ import annotations

import pytest
import torch
from scripts.data import DataSource


class Listed(DataSource):
    """Records as given; `image` is a seed, or a tensor."""

    name = "listed"
    channels = 1

    def __init__(self, records):
        self.listed = records

    def records(self):
        return sorted((dict(record) for record in self.listed), key=lambda record: record["image_id"])

    def loading(self):
        return [draw]


def draw(record):
    image = record["image"]
    if not isinstance(image, torch.Tensor):
        image = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(int(image)))
    return {**record, "image": image}


def patients(count, *, images=2, split=None, start=0):
    """`images` records of each of `count` patients."""
    records = []
    for patient in range(start, start + count):
        for image in range(images):
            record = {
                "image": str(patient * 10 + image),
                "label": "",
                "image_id": f"i{patient:02d}-{image}",
                "patient_id": f"p{patient:02d}",
                "study_id": f"s{patient:02d}-{image // 2}",
                "diagnosis": "NV" if patient % 3 else "BKL",
            }
            records.append({**record, "split": split} if split else record)
    return records


@pytest.fixture
def listed():
    return Listed


@pytest.fixture
def make_patients():
    return patients
