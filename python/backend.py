"""What `pip wheel python/` calls (PEP 517): generates `gristmill/v1`, and leaves the rest to maturin.

The generated modules are not kept with the sources, so they are never older than the definitions in `proto/`.
"""

import maturin
from maturin import (
    get_requires_for_build_editable,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

import generate

__all__ = [
    "build_editable",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    generate.main()
    return maturin.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    generate.main()
    return maturin.build_editable(wheel_directory, config_settings, metadata_directory)
