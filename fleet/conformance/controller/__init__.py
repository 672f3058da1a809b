"""Is this gate controller one? Points as data, a small engine that plays them, a pure judge of what was seen."""
