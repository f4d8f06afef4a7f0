"""The call for programs that hold pydicom data sets; pydicom is theirs, not a dependency."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from dicodec.conversion.convert import convert_bytes

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset


def convert_dataset(
    dataset: Dataset, *, to: str | tuple[str, ...] | list[str], **options: Any
) -> FileDataset:
    """Convert a pydicom data set, and return the result as another one; see `convert`.

    Args:
        dataset: with file meta, as pydicom reads or makes it; it is not changed.
        to: acceptable transfer syntaxes, the first preferred.
        **options: fields of ConversionOptions.

    Raises:
        DicodecError: as `convert` does.
        AttributeError, ValueError: pydicom cannot write the data set.
    """
    from pydicom import dcmread

    written = io.BytesIO()
    dataset.save_as(written, enforce_file_format=True)
    return dcmread(io.BytesIO(convert_bytes(written.getvalue(), to=to, **options)))
