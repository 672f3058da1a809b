"""What a device may be told: one frozen model a table of the settings file, checked as a whole."""
