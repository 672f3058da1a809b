"""Making artifacts: in a child process that may be slow, be killed, or run out of memory, while the barrier works."""
