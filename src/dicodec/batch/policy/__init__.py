"""Policies: rules that decide for each file what becomes of it."""
