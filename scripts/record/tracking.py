"""Where MONAI's experiment tracking writes: a database in the run's private folder that names no other place."""

from __future__ import annotations

import logging
from pathlib import Path

from scripts import processes
from scripts.errors import InputError
from scripts.files import announce

ARTIFACTS = "mlflow-artifacts:/"  # the server's own store: no path of this machine
TRACKER = "is_not_rank0"  # what MONAI adds to a config that is tracked
TRACKED = ("train", "forget", "restore")  # workflows


def check_tracker() -> None:
    """Raise InputError where MLflow is not installed: MONAI would say so in a traceback."""
    try:
        import mlflow  # noqa: F401
    except ImportError as error:
        raise InputError("tracking: mlflow is not installed; pip install mlflow") from error


def tracking_uri(folder: str | Path, *, experiment: str) -> str:
    """Address of the database `mlruns.db` in `folder`, which is made with an experiment where there is none.

    MLflow would store the absolute path of the folder as the place of artefacts, of which there are none.

    Raises:
        InputError: MLflow is not installed.
    """
    check_tracker()
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
    from monai.utils import path_to_sqlite_uri

    path = Path(folder).absolute() / "mlruns.db"
    uri = str(path_to_sqlite_uri(str(path)))
    if processes.first():
        announce(path.parent, kind="folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        for name in ("alembic", "mlflow.store.db.utils"):  # the making of its tables, line by line
            logging.getLogger(name).setLevel(logging.WARNING)
        store = SqlAlchemyStore(uri, ARTIFACTS)
        if store.get_experiment_by_name(experiment) is None:
            store.create_experiment(experiment, artifact_location=ARTIFACTS)
        store._dispose_engine()
    return uri
