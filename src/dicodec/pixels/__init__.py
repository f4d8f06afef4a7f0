"""Arithmetic on samples: bits, signs, planes and colors."""
