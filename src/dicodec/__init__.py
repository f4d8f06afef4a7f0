"""dicodec: converts DICOM files from any transfer syntax to any other."""
