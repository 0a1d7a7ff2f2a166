"""The program `gristmill`, which this package carries."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from gristmill._errors import ProgramError

_NAME = "gristmill"


def program() -> Path:
    """The program: that of the variable GRISTMILL_BIN, or the one that was installed with this package.

    Raises:
        ProgramError: There is none.
    """
    named = os.environ.get("GRISTMILL_BIN")
    if named:
        if not Path(named).is_file():
            raise ProgramError(f"GRISTMILL_BIN is `{named}`, and there is no such file\nhelp: name the program, or unset the variable")
        return Path(named)
    places = list(_places())
    for place in places:
        if place.is_file():
            return place
    looked = ", ".join(str(place) for place in places)
    raise ProgramError(
        f"the program `gristmill` is not there: looked for {looked}\nhelp: install the package again, or name the program in GRISTMILL_BIN"
    )


def _places() -> Iterator[Path]:
    """Where installers put programs."""
    yield Path(sysconfig.get_path("scripts")) / _NAME
    # `pip install --user`.
    yield Path(sysconfig.get_path("scripts", scheme=sysconfig.get_preferred_scheme("user"))) / _NAME
    # `pip install --target FOLDER`.
    yield Path(__file__).resolve().parents[1] / "bin" / _NAME
