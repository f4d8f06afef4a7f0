"""The requirements of the standard, as tables and pure functions."""
