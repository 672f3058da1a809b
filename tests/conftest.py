"""Fixtures that every test may name."""

from hypothesis import settings

# How long one example takes says how busy the machine is, and nothing about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

pytest_plugins = [
    "tests.materials",
    "tests.mosquitto",
    "tests.postgresql",
    "tests.gate_site",
    "tests.proxy",
    "tests.sessions",
    "tests.spread",
    "tests.store_urls",
]
