"""What tests share: makers of files, witnesses, servers, clients."""
