"""Simulated devices at a real broker, faults, and the ledger that says whether anything was lost."""
