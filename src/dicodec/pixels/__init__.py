"""Arithmetic on samples: bits, signs, planes and colors. No codec, no data set."""
