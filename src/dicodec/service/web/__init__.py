"""The service: an HTTP interface and a page over the embedded queue."""
