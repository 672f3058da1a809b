"""Writes what a program in another language needs to speak the wire: AsyncAPI, JSON Schemas, test vectors, a page.

Run `python -m platefleet.protocol.generate` after a change to a message, a topic or the encoding.
"""
