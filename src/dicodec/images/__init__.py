"""Images for programs and for eyes: open a file, read its frames, show them as a viewer does."""
