"""The command `dicodec`: one file a subcommand."""
