"""Delivery: record frames, the outbox, what to send next, coverage, the uplink."""
