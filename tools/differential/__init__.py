"""The parts of the differential fuzzer, fuzz_differential.py."""
