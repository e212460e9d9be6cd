"""What Aliyun's words mean to us: codes of an answer, and codes of a carrier's receipt."""

from __future__ import annotations

from engage.core.outcome import Failure, Rejected

# https://help.aliyun.com/document_detail/101346.html
_BY_CODE: dict[str, Failure] = {
    "isv.MOBILE_NUMBER_ILLEGAL": Failure.INVALID_ADDRESS,
    "isv.BUSINESS_LIMIT_CONTROL": Failure.NOT_NOW,  # too many to this number
    "isv.DAY_LIMIT_CONTROL": Failure.QUOTA,  # the account's own cap, as set in Aliyun's console
    "isv.MONTH_LIMIT_CONTROL": Failure.QUOTA,
    "isv.BLACK_KEY_CONTROL_LIMIT": Failure.CONTENT,
    "isv.SMS_CONTENT_ILLEGAL": Failure.CONTENT,
    "isv.SMS_TEMPLATE_ILLEGAL": Failure.CONTENT,
    "isv.TEMPLATE_MISSING_PARAMETERS": Failure.CONTENT,
    "isv.SMS_SIGN_ILLEGAL": Failure.CONFIGURATION,
    "isv.SMS_SIGNATURE_ILLEGAL": Failure.CONFIGURATION,
    "isv.SIGN_STATE_ILLEGAL": Failure.CONFIGURATION,
    "isv.SMS_SIGNATURE_SCENE_ILLEGAL": Failure.CONFIGURATION,
    "isv.EXTEND_CODE_ERROR": Failure.CONFIGURATION,
    "isv.DENY_IP_RANGE": Failure.CONFIGURATION,
    "isv.OUT_OF_SERVICE": Failure.CONFIGURATION,  # the balance is used up
    "isv.AMOUNT_NOT_ENOUGH": Failure.CONFIGURATION,
    "isv.ACCOUNT_NOT_EXISTS": Failure.CONFIGURATION,
    "isv.ACCOUNT_ABNORMAL": Failure.CONFIGURATION,
    "isv.PRODUCT_UN_SUBSCRIPT": Failure.CONFIGURATION,
    "isv.PRODUCT_UNSUBSCRIBE": Failure.CONFIGURATION,
    "isp.RAM_PERMISSION_DENY": Failure.CONFIGURATION,
    "isp.SYSTEM_ERROR": Failure.PROVIDER_ERROR,
}

# Of the gateway in front of every Aliyun API, which refuses before the service is reached.
_BY_GATEWAY_WORD: tuple[tuple[str, Failure], ...] = (
    ("Throttling", Failure.THROTTLED),
    ("SignatureDoesNotMatch", Failure.CONFIGURATION),
    ("SignatureNonceUsed", Failure.PROVIDER_ERROR),
    ("InvalidAccessKeyId", Failure.CONFIGURATION),
    ("InvalidTimeStamp", Failure.CONFIGURATION),
    ("Forbidden", Failure.CONFIGURATION),
    ("NoPermission", Failure.CONFIGURATION),
)


def rejected(code: str, message: object) -> Rejected:
    """An unlisted `isv.` code is about what we sent: neither repeated, nor held against the member's number."""
    return Rejected(_class_of(code), code[:100], str(message)[:200])


def _class_of(code: str) -> Failure:
    if code in _BY_CODE:
        return _BY_CODE[code]
    for word, failure in _BY_GATEWAY_WORD:
        if code.startswith(word):
            return failure
    return Failure.CONTENT if code.startswith("isv.") else Failure.PROVIDER_ERROR


_BY_RECEIPT: dict[str, Failure] = {
    "MK:0001": Failure.INVALID_ADDRESS,  # no such number
    "EXPIRED": Failure.UNREACHABLE,  # switched off for days
    "UNDELIV": Failure.UNREACHABLE,
    "MK:0010": Failure.UNREACHABLE,
    "MBBLACK": Failure.OPTED_OUT,
    "DBBLACK": Failure.OPTED_OUT,
}


def receipt_failure(code: str) -> Failure:
    """Carriers have hundreds of codes; an unlisted one says that it did not arrive, not that the number is dead."""
    return _BY_RECEIPT.get(code, Failure.UNREACHABLE)
