"""What runs beside a barrier: camera, pipeline, passes, outbox."""
