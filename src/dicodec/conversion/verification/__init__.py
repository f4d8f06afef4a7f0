"""Reads a finished result again and compares it with its source."""
