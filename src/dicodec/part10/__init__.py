"""The bytes of DICOM files (PS3.5, PS3.10): read as spans, written with edits."""
