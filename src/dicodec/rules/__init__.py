"""What the standard asks, as tables and pure functions over descriptions and attribute values."""
