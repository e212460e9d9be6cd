"""The configuration of a world: a project's own rules and prices, or the usual ones; and no secret that is one.

A world never connects to anything, so wherever a config names a secret there stands a filler.
"""

from __future__ import annotations

from engage.config import Config

_FILLER = "nothing-is-ever-sent-from-a-simulated-world"  # 43 characters: long enough for every key

USUAL = Config.model_validate(
    {
        "database": {"url": "sqlite://"},
        "web": {"signing_key": _FILLER},
        "channels": {
            "wechat": {
                "app_id": "wx0000000000000000",
                "app_secret": _FILLER,
                "account": "gh_000000000000",
                "callback_token": _FILLER,
                "encoding_aes_key": _FILLER.replace("-", "0"),
            },
            "sms": {
                "access_key_id": "none",
                "access_key_secret": _FILLER,
                "sign_name": "Engage",
                "callback_secret": _FILLER,
            },
            "email": {
                "host": "localhost",
                "sender": "Engage <engage@example.invalid>",
                "bounce_domain": "bounce.example.invalid",
                "callback_secret": _FILLER,
            },
        },
    }
)
"""Every channel, the usual prices and the usual policy: for a project without a config."""
