"""The demo: the main job end to end on one machine, with real models, photos, broker, store and gate."""
