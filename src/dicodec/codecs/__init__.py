"""Codecs: one file per family behind the interface of base.py; table.py says which serves what."""
