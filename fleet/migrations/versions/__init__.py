"""One file a revision. A revision that was released is never edited: what it made stands in databases."""
