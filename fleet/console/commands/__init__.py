"""The operators' commands: `platefleet console …` runs the service, `platefleet fleet …` asks and orders."""
