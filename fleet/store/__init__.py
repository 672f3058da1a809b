"""The store: committed records, what is covered of each epoch, and what could not be decoded."""
