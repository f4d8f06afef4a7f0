"""Policies: rules that choose the conversion of each file."""
