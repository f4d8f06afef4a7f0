"""Verification: read a finished result again and compare it with its source."""
