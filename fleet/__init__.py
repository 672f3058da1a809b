"""What runs centrally or at the barrier's controller: ingest, store, gate."""
