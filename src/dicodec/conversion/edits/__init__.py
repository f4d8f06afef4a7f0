"""Edits: the attributes of a result that differ from its source's."""
