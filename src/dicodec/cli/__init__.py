"""The command `dicodec`: a file for each subcommand."""
