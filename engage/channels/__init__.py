"""Providers: how a message is worded on the wire, handed over, and answered.

One folder per channel, each with the same three parts: `payload` (pure), `send` (the call), `inbound` (callbacks opened
and parsed). `registry` is the only list of them. Nothing here decides whether or when a message may be sent.
"""
