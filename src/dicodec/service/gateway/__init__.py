"""The gateway: receive objects over DICOM, make them safe, convert and forward them to peers."""
