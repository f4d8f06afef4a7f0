"""Identity of this program, in a file of its own because the build reads the version here."""

VERSION = "0.2.0"

VARIABLE_PREFIX = "DICODEC_"
"""Beginning of the names of our environment variables: one for each option, and some more."""

CLASS_UID = "2.25.160394412927360341237155836245310946011"
"""Implementation Class UID (0002,0012) of results (PS3.10 7.1)."""

VERSION_NAME = f"DICODEC_{VERSION}"[:16]
"""Implementation Version Name (0002,0013) of results: an SH, which has at most 16 characters."""
