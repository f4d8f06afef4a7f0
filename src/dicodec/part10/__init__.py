"""The only code that knows DICOM's bytes (PS3.5, PS3.10): reading as spans, writing with edits."""
