"""What WeChat's error codes mean to us. One table; a code that is not in it was still a definite refusal."""

from __future__ import annotations

import re

from engage.core.outcome import Failure, Rejected

# The token was not, or is no longer, valid: renew it and try once more. Nothing was sent.
STALE_TOKEN = frozenset({"40001", "40014", "42001"})

_BY_CODE: dict[int, Failure] = {
    -1: Failure.PROVIDER_ERROR,  # system busy
    -1000: Failure.PROVIDER_ERROR,
    40001: Failure.CONFIGURATION,  # secret wrong, or the token stale even after renewing it
    40013: Failure.CONFIGURATION,  # app id
    40014: Failure.CONFIGURATION,
    40125: Failure.CONFIGURATION,  # secret
    40164: Failure.CONFIGURATION,  # our IP is not on the whitelist
    40243: Failure.CONFIGURATION,  # secret frozen
    42001: Failure.CONFIGURATION,
    48001: Failure.CONFIGURATION,  # the account may not use this API
    50004: Failure.CONFIGURATION,
    50007: Failure.CONFIGURATION,
    45009: Failure.QUOTA,  # of the day, until 00:00 Beijing time
    45011: Failure.THROTTLED,  # of the minute
    43117: Failure.NOT_NOW,  # template messages to this openid too frequent
    40241: Failure.NOT_NOW,  # the same template message within 60 seconds
    45015: Failure.WINDOW_CLOSED,
    45047: Failure.WINDOW_CLOSED,
    40003: Failure.INVALID_ADDRESS,  # not an openid of this account
    43004: Failure.UNREACHABLE,  # does not follow
    48002: Failure.UNREACHABLE,  # has blocked us
    43019: Failure.UNREACHABLE,  # on our blacklist
    43101: Failure.UNREACHABLE,  # no subscription credit
    40036: Failure.CONTENT,  # template id length
    40037: Failure.CONTENT,  # template id
    40039: Failure.CONTENT,  # url length
    40249: Failure.CONTENT,  # blocked for illegal content: marketing in a template message
    43116: Failure.CONTENT,  # this template is banned
    45002: Failure.CONTENT,  # too long
    45008: Failure.CONTENT,  # more than one article
    47001: Failure.CONTENT,
    47003: Failure.CONTENT,  # a field of the template is invalid
}

_REQUEST_ID = re.compile(r"\s*rid:\s*\S+")


def rejected(code: int, message: object) -> Rejected:
    """An unlisted code is taken for the provider's trouble: a definite refusal that may be tried again."""
    return Rejected(_BY_CODE.get(code, Failure.PROVIDER_ERROR), str(code), _REQUEST_ID.sub("", str(message))[:200])
