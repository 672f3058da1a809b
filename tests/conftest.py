"""Fixtures that every test may name."""

pytest_plugins = [
    "tests.materials",
    "tests.mosquitto",
    "tests.postgresql",
    "tests.gate_site",
    "tests.proxy",
    "tests.sessions",
    "tests.store_urls",
]
