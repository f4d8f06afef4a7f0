"""dicodec: converts DICOM files from any transfer syntax to any other.

The calls are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module

from dicodec.model import implementation

# For type checkers it is true, and jedi takes a bool for either; `typing` takes longer to load than
# all else.
TYPE_CHECKING: bool = False
if TYPE_CHECKING:
    from typing import Any

    from dicodec.comparison.compare import Comparison as Comparison
    from dicodec.comparison.compare import compare as compare
    from dicodec.conversion.calls import convert as convert
    from dicodec.conversion.calls import convert_async as convert_async
    from dicodec.conversion.calls import convert_bytes as convert_bytes
    from dicodec.conversion.calls import convert_dataset as convert_dataset
    from dicodec.conversion.inspection import Inspection as Inspection
    from dicodec.conversion.output.result_file import Target as Target
    from dicodec.errors import ConversionError as ConversionError
    from dicodec.errors import DicodecError as DicodecError
    from dicodec.errors import ReadError as ReadError
    from dicodec.errors import WriteError as WriteError
    from dicodec.images.encode_frame import EncodedFrame as EncodedFrame
    from dicodec.images.encode_frame import encode_frame as encode_frame
    from dicodec.images.image import Image as Image
    from dicodec.interface.convert_many import BatchProgress as BatchProgress
    from dicodec.interface.convert_many import BatchResult as BatchResult
    from dicodec.interface.convert_many import convert_many as convert_many
    from dicodec.interface.inspect import inspect as inspect
    from dicodec.interface.open_image import open_image as open_image
    from dicodec.model.conversion_settings import ConversionSettings as ConversionSettings
    from dicodec.model.image import ImagePixelDescription as ImagePixelDescription
    from dicodec.model.limits import Limits as Limits
    from dicodec.model.transfer_syntax import TransferSyntax as TransferSyntax
    from dicodec.options import ConversionOptions as ConversionOptions
    from dicodec.part10.dicom_file import Source as Source
    from dicodec.report import ConversionReport as ConversionReport

__version__ = implementation.VERSION

_HOMES = {
    "compare": "dicodec.comparison.compare",
    "convert": "dicodec.conversion.calls",
    "convert_async": "dicodec.conversion.calls",
    "convert_bytes": "dicodec.conversion.calls",
    "convert_dataset": "dicodec.conversion.calls",
    "convert_many": "dicodec.interface.convert_many",
    "encode_frame": "dicodec.images.encode_frame",
    "inspect": "dicodec.interface.inspect",
    "open_image": "dicodec.interface.open_image",
    "BatchProgress": "dicodec.interface.convert_many",
    "BatchResult": "dicodec.interface.convert_many",
    "Comparison": "dicodec.comparison.compare",
    "ConversionError": "dicodec.errors",
    "ConversionOptions": "dicodec.options",
    "ConversionReport": "dicodec.report",
    "ConversionSettings": "dicodec.model.conversion_settings",
    "DicodecError": "dicodec.errors",
    "EncodedFrame": "dicodec.images.encode_frame",
    "Image": "dicodec.images.image",
    "ImagePixelDescription": "dicodec.model.image",
    "Inspection": "dicodec.conversion.inspection",
    "Limits": "dicodec.model.limits",
    "ReadError": "dicodec.errors",
    "Source": "dicodec.part10.dicom_file",
    "Target": "dicodec.conversion.output.result_file",
    "TransferSyntax": "dicodec.model.transfer_syntax",
    "WriteError": "dicodec.errors",
}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if home := _HOMES.get(name):
        value = getattr(import_module(home), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
