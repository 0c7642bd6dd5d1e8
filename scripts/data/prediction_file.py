"""The table of a classification: one row per image, the file's name and the probability of each class."""

from __future__ import annotations

import csv
import io

from monai.data import CSVSaver
from scripts.files import write_text


class PredictionFile(CSVSaver):
    """MONAI's writer, but for two things: a comma in a file's name moves no column, and the table appears whole.

    A name that holds a comma, a quote or a line end is quoted as RFC 4180 says; bytes of a name that are no UTF-8 are
    escapes. An earlier table stays until the new one is there.

    Args:
        output_dir: folder of the table.
        filename: name of the table.
    """

    def __init__(self, output_dir: str, filename: str) -> None:
        super().__init__(output_dir, filename, overwrite=False)

    def finalize(self) -> None:
        """Write what was saved, and forget it."""
        table = io.StringIO()
        rows = csv.writer(table, lineterminator="\n")
        for name, values in self._cache_dict.items():
            rows.writerow([name.encode("utf-8", "backslashreplace").decode(), *map(str, values.flatten())])
        write_text(self._filepath, table.getvalue())
        self.reset_cache()
