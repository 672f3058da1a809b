"""Licence-plate recognition for car-park barriers, run as a fleet.

The five parts live in the top-level folders and are linked here, so that every import names the project:
`platefleet.protocol`, `platefleet.models`, `platefleet.agent`, `platefleet.fleet` and `platefleet.deploy`.
"""

__version__ = "0.1.0"
