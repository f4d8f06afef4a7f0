"""DICOMweb: images of a folder, a bucket or another server, in the forms that clients accept."""
