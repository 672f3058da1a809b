"""Commands on the device: heard, judged, written down, carried out once, told.

`hearing` opens what came, `clerk` writes every change into the `journal` before anybody is told, `worker` asks the desk
(`protocol/commands/desk.py`) what happens next and lets a `Try` carry it out; `telling` makes records of statuses.
"""
