"""The configuration of a world: a project's own rules and prices, or the usual ones; and no secret that is one.

A world never connects to anything, so wherever a config names a secret there stands a filler (`load_config` does the
same for a project's own, with `secrets=False`).
"""

from __future__ import annotations

from engage.config import Config
from engage.config_values import NOT_LOOKED_UP

USUAL = Config.model_validate(
    {
        "database": {"url": "sqlite://"},
        "web": {"signing_key": NOT_LOOKED_UP},
        "channels": {
            "wechat": {
                "app_id": "wx0000000000000000",
                "app_secret": NOT_LOOKED_UP,
                "account": "gh_000000000000",
                "callback_token": NOT_LOOKED_UP,
                "encoding_aes_key": NOT_LOOKED_UP,
            },
            "sms": {
                "access_key_id": "none",
                "access_key_secret": NOT_LOOKED_UP,
                "sign_name": "Engage",
                "callback_secret": NOT_LOOKED_UP,
            },
            "email": {
                "host": "localhost",
                "sender": "Engage <engage@example.invalid>",
                "bounce_domain": "bounce.example.invalid",
                "callback_secret": NOT_LOOKED_UP,
            },
        },
    }
)
"""Every channel, the usual prices and the usual policy: for a project without a config."""
