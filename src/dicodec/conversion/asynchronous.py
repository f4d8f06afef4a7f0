"""The call for programs with an event loop; the conversion itself runs in a thread."""

from __future__ import annotations

import asyncio
from typing import Any

from dicodec.conversion.convert import convert
from dicodec.conversion.output.result_file import Target
from dicodec.part10.dicom_file import Source
from dicodec.report import ConversionReport


async def convert_async(
    source: Source, target: Target | None, *, to: str | tuple[str, ...] | list[str], **options: Any
) -> ConversionReport:
    """Convert one DICOM file without blocking the event loop; see `convert`.

    A conversion that has begun goes on when the task is cancelled; its result still appears whole.
    """
    return await asyncio.to_thread(convert, source, target, to=to, **options)
