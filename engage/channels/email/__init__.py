"""Email over SMTP, with a plain-text part, one-click unsubscribe, and bounces that find their delivery again.

`address` and `payload` are pure, `smtp` hands over, `inbound` reads bounces and complaints that a mail
server pipes to us.
"""
