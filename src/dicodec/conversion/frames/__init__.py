"""The work on pixels: frames read, decoded, changed, encoded and written, in bounded memory."""
