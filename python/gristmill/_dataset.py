"""Datasets of runs, read from their folders."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from gristmill._errors import MissingDependencyError
from gristmill._frame import pandas

if TYPE_CHECKING:
    from pandas import DataFrame

#: The split that is a file by itself.
_REJECTED = "rejected"


def load(run: str | os.PathLike[str], split: str = "train") -> DataFrame:
    """Rows of a run's dataset as a pandas DataFrame, with the columns that the dataset has.

    Args:
        run: The run's folder, such as `out/RUN`, or its dataset's, such as `out/RUN/dataset` or a copy.
        split: `train`, `validation` or `test`; `preference`, `text`, `dialogue` or `tool_use` where a recipe makes such rows; `rejected`.

    Raises:
        FileNotFoundError: There is no such dataset or split.
        MissingDependencyError: pandas or pyarrow is not installed.
    """
    pandas()
    try:
        from pyarrow import concat_tables, parquet
    except ImportError as error:
        raise MissingDependencyError("a dataset is read with pyarrow, which is not installed: `pip install 'gristmill[pandas]'`") from error
    folder = _dataset(Path(run))
    files = [folder / "rejected.parquet"] if split == _REJECTED else sorted((folder / "data").glob(f"{split}-*.parquet"))
    files = [file for file in files if file.is_file()]
    if not files:
        raise FileNotFoundError(f"{folder} has no split `{split}`; it has {', '.join(_splits(folder))}")
    frame: DataFrame = concat_tables([parquet.read_table(file) for file in files]).to_pandas()
    return frame


def _dataset(folder: Path) -> Path:
    for dataset in (folder / "dataset", folder):
        if (dataset / "data").is_dir():
            return dataset
    if (folder / "state").is_dir():
        raise FileNotFoundError(
            f"the run in {folder} has no dataset yet: it is written when the run ends. `gristmill status {folder}` says where it stands"
        )
    raise FileNotFoundError(f"{folder} is neither a run's folder nor a dataset: a run's folder is `out/RUN`, unless `output.dir` names another")


def _splits(folder: Path) -> list[str]:
    names = {file.name.rsplit("-", 3)[0] for file in (folder / "data").glob("*-*.parquet")}
    if (folder / "rejected.parquet").is_file():
        names.add(_REJECTED)
    return sorted(names) or ["none"]
