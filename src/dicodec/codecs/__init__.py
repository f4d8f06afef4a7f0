"""Codecs: a module for each family, and readers of their streams' headers."""
