"""What people ask of the store: which plates were seen, what is missing, and what became of one pass. Reads only."""
