"""The conformance kit: drives somebody else's controller or ingest through records and faults, and says what fails."""
