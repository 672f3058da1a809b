"""The schema of the store, step by step: `versions/revision_<n>.py` goes from n - 1 to n and back, data included."""
