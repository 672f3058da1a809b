"""Is this ingest one? Points as data, a small engine that plays them, a pure judge of the acks that were heard."""
