"""Parsers of compressed streams' headers: bytes in, facts out, without decoding."""
