"""`platefleet models …`: artifacts by hand, on one device, without broker or fleet. One module a command."""
