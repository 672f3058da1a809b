"""The console: what operators signed, sent until the devices answered, and what became of it.

`database` holds the truth about commands; `book` is the only way to change it, `asked` to read it; `service` is the
long-running program that talks to the broker and holds no private key; `commands` are the operators' own, which sign.
"""
