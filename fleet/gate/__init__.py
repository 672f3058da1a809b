"""The gate controller: hears passes and opens barriers."""
