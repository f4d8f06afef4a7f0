"""Jobs: requests and events, the embedded queue, and what carries jobs out."""
