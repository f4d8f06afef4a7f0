"""The web service: an HTTP interface and a page over the store of jobs."""
