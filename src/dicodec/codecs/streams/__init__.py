"""Header parsers of compressed streams: bytes in, facts out, nothing is decoded."""
