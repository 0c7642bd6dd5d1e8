"""Whether the released page is the one that the run's own files give: it is given away beside the certificate."""

from __future__ import annotations

import os

from scripts.errors import Refused
from scripts.record.contents import Unreadable, read_regular
from scripts.record.run_folder import RunFolder
from scripts.report.page import Report


def require_sound_report(folder: RunFolder) -> None:
    """Refuse a released report that was written by hand, or of a verdict or figures that are no longer there.

    Raises:
        Refused: names the file and what to do.
    """
    path = folder.release / "report.html"
    if not os.path.lexists(path):
        return
    if not os.path.lexists(folder.verdict):
        raise Refused(f"{path}: shows a verdict that is not there; remove it, or run verify again")
    from jinja2 import TemplateError

    try:
        written = read_regular(path).decode("utf-8", "replace")
        pages = (Report(folder=folder, synthetic=synthetic).page(private=False) for synthetic in (False, True))
        sound = any(written == page for page in pages)
    except (Unreadable, ValueError, LookupError, TypeError, AttributeError, TemplateError) as error:
        raise Refused(f"{path}: cannot be compared with the run's files ({error}); run verify again") from error
    if not sound:
        raise Refused(f"{path}: is not what the run's files give; run verify again")
