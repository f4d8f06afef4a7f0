"""Proof that can be checked later: digests of decoded frames, in a manifest that is signed."""
