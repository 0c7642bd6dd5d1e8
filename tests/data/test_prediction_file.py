"""The table of predictions: one row per image whatever the image is called."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from scripts.data.prediction_file import PredictionFile


def test_names_move_no_column_and_an_earlier_table_stays_until_the_new_one_is_there(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("earlier")
    names = ["a,b.png", 'a "b".png', "a\nb.png", "plain.png", "a\udcffb.png"]
    table = PredictionFile(str(tmp_path), "p.csv")
    assert (tmp_path / "p.csv").read_text() == "earlier"
    table.save_batch(np.tile([0.25, 0.75], (len(names), 1)), {"filename_or_obj": names})
    table.finalize()
    with (tmp_path / "p.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert [row[0] for row in rows] == [*names[:4], "a\\udcffb.png"]
    assert all(row[1:] == ["0.25", "0.75"] for row in rows)
    assert [path.name for path in tmp_path.iterdir()] == ["p.csv"]
