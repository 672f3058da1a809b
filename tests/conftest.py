"""Fixtures that every test may name."""

pytest_plugins = ["tests.materials", "tests.mosquitto", "tests.proxy", "tests.sessions"]
