"""From a host's name to a connection that takes mails: greeting, TLS, login."""

from __future__ import annotations

import asyncio
import base64
import ssl
from dataclasses import dataclass

from engage.channels.email.errors import Stage, rejected
from engage.channels.email.wire import Broken, Reply, Wire
from engage.channels.http_answer import not_sent
from engage.config import Email
from engage.core.outcome import Failure, Rejected


@dataclass(frozen=True, slots=True)
class Session:
    wire: Wire
    pipelining: bool


class _Refused(Exception):
    """The server, or what it does not offer, stands in the way: nothing was sent."""

    def __init__(self, outcome: Rejected) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


async def open_session(config: Email, timeout: float) -> Session | Rejected:
    """Within `timeout` seconds."""
    try:
        async with asyncio.timeout(timeout):
            return await _log_in(config)
    except _Refused as refusal:
        return refusal.outcome
    except ssl.SSLCertVerificationError:
        return Rejected(Failure.CONFIGURATION, "certificate", "the mail server's certificate is not trusted")
    except (Broken, OSError, TimeoutError) as error:
        return not_sent(f"no connection ({type(error).__name__})")


async def _log_in(config: Email) -> Session:
    """Raises `_Refused`, `Broken` or OSError."""
    tls = ssl.create_default_context() if config.security != "none" else None
    wire = await Wire.open(config.host, config.port, tls if config.security == "tls" else None)
    try:
        _expect(await wire.reply(), 220)
        offers = await _greet(wire, config)
        if config.security == "starttls" and tls is not None:
            if "STARTTLS" not in offers:
                raise _not_offered("STARTTLS")
            _expect(await wire.ask("STARTTLS"), 220)
            await wire.secure(config.host, tls)
            offers = await _greet(wire, config)
        if config.username is not None:
            await _authenticate(wire, config, offers)
    except BaseException:
        wire.close()
        raise
    return Session(wire, "PIPELINING" in offers)


async def _greet(wire: Wire, config: Email) -> dict[str, str]:
    """What the server offers, each with its parameters. Our name is the bounce domain's: nobody looks it up."""
    reply = await wire.ask(f"EHLO {config.bounce_domain}")
    if reply.code != 250:
        _expect(await wire.ask(f"HELO {config.bounce_domain}"), 250)
        return {}
    named = (line.partition(" ") for line in reply.lines[1:])
    return {name.upper(): parameters.upper() for name, _, parameters in named}


async def _authenticate(wire: Wire, config: Email, offers: dict[str, str]) -> None:
    name, password = config.username or "", config.password.get_secret_value() if config.password else ""
    ways = offers.get("AUTH", "").split()
    if "PLAIN" in ways:
        reply = await wire.ask("AUTH PLAIN " + _base64(f"\0{name}\0{password}"))
    elif "LOGIN" in ways:
        reply = await wire.ask("AUTH LOGIN")
        for word in (name, password):
            if reply.code == 334:
                reply = await wire.ask(_base64(word))
    else:
        raise _not_offered("AUTH PLAIN or AUTH LOGIN")
    if reply.code not in (235, 503):  # 503: logged in already
        raise _Refused(Rejected(Failure.CONFIGURATION, str(reply.code), "the mail server refuses the login"))


def _expect(reply: Reply, code: int) -> None:
    if reply.code != code:
        raise _Refused(rejected(Stage.CONNECTION, reply.code, reply.text))


def _not_offered(what: str) -> _Refused:
    return _Refused(Rejected(Failure.CONFIGURATION, "not offered", f"the mail server does not offer {what}"))


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
