"""`platefleet keys …`: making keys, and saying with a root key whom the fleet trusts. One module a command."""
