"""Jobs: requests and events, their store, and the code that carries them out."""
