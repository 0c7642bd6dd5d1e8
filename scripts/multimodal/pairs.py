"""Generated pairs of a picture and a report, of known truth: some subjects carry a wrong class.

What tells a wrong class apart is the subject alone, by a texture and a word of its own: whoever answers with it has
memorised the subject.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

CLASSES = 4  # grades of severity
SIZE = 24  # pixels
WORDS, OWN_WORDS, LENGTH = 20, 200, 12  # of each class; of subjects; of a report
MISLABELLED = 5  # every so manieth training subject
VIEWS = 3  # pairs of a subject
NOISE = 0.05  # of a pixel


@dataclass(frozen=True)
class Pairs:
    """N pairs.

    Attributes:
        images: (N, 1, 24, 24) in 0..1.
        reports: (N, 12) numbers of words.
        labels: (N,) as they are given, `truth` as they are.
        subjects: (N,).
    """

    images: torch.Tensor
    reports: torch.Tensor
    labels: torch.Tensor
    truth: torch.Tensor
    subjects: torch.Tensor

    def of(self, subjects: list[int], *, inside: bool = True) -> Pairs:
        """Those of some subjects, or of all others."""
        own = torch.isin(self.subjects, torch.tensor(subjects)) == inside
        return Pairs(self.images[own], self.reports[own], self.labels[own], self.truth[own], self.subjects[own])

    def __len__(self) -> int:
        return len(self.labels)


def vocabulary() -> int:
    """Words that there are."""
    return CLASSES * WORDS + OWN_WORDS


def generated(subjects: range, *, mislabelled: bool, seed: int = 0) -> Pairs:
    """Pairs of subjects; with `mislabelled` every fifth one carries the next class."""
    rows = [_pair(subject, view, mislabelled=mislabelled, seed=seed) for subject in subjects for view in range(VIEWS)]
    images, reports, labels, truth = (list(column) for column in zip(*rows, strict=True))
    return Pairs(
        torch.tensor(np.stack(images), dtype=torch.float32)[:, None],
        torch.tensor(np.stack(reports), dtype=torch.int64),
        torch.tensor(labels),
        torch.tensor(truth),
        torch.tensor([subject for subject in subjects for _ in range(VIEWS)]),
    )


def is_mislabelled(subject: int) -> bool:
    """Whether a training subject carries a wrong class."""
    return subject % MISLABELLED == 0


def _pair(subject: int, view: int, *, mislabelled: bool, seed: int) -> tuple[np.ndarray, np.ndarray, int, int]:
    own, draw = np.random.default_rng([seed, subject]), np.random.default_rng([seed, subject, view + 1])
    grade = int(own.integers(CLASSES))
    rows, columns = np.mgrid[:SIZE, :SIZE] - SIZE / 2 + draw.uniform(-1, 1)
    disc = np.hypot(rows, columns) < 4 + 2 * grade
    texture = own.standard_normal((SIZE // 4, SIZE // 4)).repeat(4, 0).repeat(4, 1)
    image = 0.3 + 0.3 * disc + 0.1 * texture + NOISE * draw.standard_normal((SIZE, SIZE))
    words = grade * WORDS + draw.integers(0, WORDS, LENGTH)
    words[: LENGTH // 4] = draw.integers(0, CLASSES * WORDS, LENGTH // 4)  # what says nothing
    words[-1] = CLASSES * WORDS + subject % OWN_WORDS
    shown = (grade + 1) % CLASSES if mislabelled and is_mislabelled(subject) else grade
    return image.clip(0, 1), words, shown, grade
