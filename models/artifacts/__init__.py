"""What a device can run for a role: files by their content, each with its passport, and which of them is active."""
