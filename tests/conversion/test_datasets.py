"""Data sets of pydicom in, data sets of pydicom out."""

from __future__ import annotations

import numpy as np
import pydicom
from pydicom.data import get_testdata_file

from dicodec import convert_dataset


def test_a_dataset_is_converted_and_left_as_it_was() -> None:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    before = dataset.PixelData

    result = convert_dataset(dataset, to="rle", set_attributes=(("PatientID", "42"),))

    assert result.file_meta.TransferSyntaxUID.name == "RLE Lossless"
    assert result.PatientID == "42"
    assert np.array_equal(result.pixel_array, dataset.pixel_array)
    assert dataset.PixelData is before
    assert dataset.PatientID != "42"
