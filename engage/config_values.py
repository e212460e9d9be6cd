"""The kinds of values in `config.yaml`: how each is written, and what is said of one that is written otherwise."""

from __future__ import annotations

import os
import re
from datetime import date, time, timedelta
from decimal import Decimal
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated

import httpx
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from engage.config_words import Unfit
from engage.core import intake
from engage.core.duration import parse_duration, parse_time
from engage.core.problem import Said

# Stands where a secret is named and nobody looks it up. 43 letters and digits: long enough for every key.
NOT_LOOKED_UP = "noSecretIsHereBecauseNothingIsEverSent00000"
SIGNING_KEY_LENGTH = 32
_LONGEST = timedelta(days=3660)  # of a frequency cap; a slip of the keyboard otherwise


def resolve_secret(value: object) -> object:
    """What `env:NAME` or `file:PATH` stands for. Raises Unfit."""
    if isinstance(value, str) and value.startswith("env:"):
        name = value.removeprefix("env:")
        if name not in os.environ:
            raise Unfit(f"the environment variable {name} is not set", f"没有设置环境变量 {name}")
        return os.environ[name]
    if isinstance(value, str) and value.startswith("file:"):
        path = Path(value.removeprefix("file:"))
        try:
            return path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            raise Unfit(f"the file {path} does not exist", f"文件 {path} 不存在") from None
        except (OSError, UnicodeDecodeError):
            raise Unfit(f"the file {path} cannot be read as text", f"文件 {path} 不能作为文本读取") from None
    return value


def _filled(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().strip():
        raise Unfit(
            "is empty; write the secret, or env:NAME, or file:/path", "是空的；请写密钥，或者 env:名称，或者 file:/路径"
        )
    return secret


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < SIGNING_KEY_LENGTH:
        raise Unfit(
            f"is too short; use at least {SIGNING_KEY_LENGTH} random characters",
            f"太短；请用至少 {SIGNING_KEY_LENGTH} 个随机字符",
        )
    return secret


def _aes_key(secret: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9+/]{43}", secret.get_secret_value()):
        raise Unfit(
            "is not an EncodingAESKey; copy the 43 letters and digits from the account's settings",
            "不是 EncodingAESKey；请从公众号后台复制那 43 个字母和数字",
        )
    return secret


def _duration(value: object) -> object:
    if isinstance(value, str):
        parsed = parse_duration(value)
        if parsed is None:
            raise Unfit(
                f"“{value}” is not a duration; durations look like 30m, 2h, 3d, 1d12h",
                f"“{value}”不是时长；时长的写法：30m、2h、3d、1d12h",
            )
        if not timedelta(0) < parsed <= _LONGEST:
            raise Unfit(
                f"“{value}” is out of range; write something between 1m and {_LONGEST.days}d",
                f"“{value}”超出了范围；请写 1m 到 {_LONGEST.days}d 之间的时长",
            )
        return parsed
    return value


def _long_kept(value: timedelta) -> timedelta:
    if value < timedelta(days=30):
        raise Unfit("less than 30d: journeys still need it", "少于 30d：旅程还会用到")
    return value


def _time(value: object) -> object:
    if isinstance(value, str):
        parsed = parse_time(value)
        if parsed is None:
            raise Unfit(
                f"“{value}” is not a time of day; write it like 09:30", f"“{value}”不是一天中的时间；请写成 09:30 这样"
            )
        return parsed
    return value


def _url(value: str) -> str:
    if (amiss := _amiss_in(value)) is not None:
        raise Unfit(f"“{value}” {amiss.en}", f"“{value}”{amiss.zh}")
    return value.rstrip("/")


def _amiss_in(url: str) -> Said | None:
    """Why it cannot be called; None if it can."""
    if not url.startswith(("http://", "https://")):
        return _NO_WEB_ADDRESS
    return None if _can_be_looked_up(_host_of(url)) else _MISSPELT_HOST


_NO_WEB_ADDRESS = Said(
    "is not a web address; it starts with https:// or http://", "不是网址；网址以 https:// 或 http:// 开头"
)
_MISSPELT_HOST = Said(
    "has a host that cannot be; look for two dots in a row, a dot in front, a part of over 63 letters, or none at all",
    "里的主机名不成立；请检查是否连着两个点、以点开头、有一段超过 63 个字母，或者漏写了",
)


def _can_be_looked_up(host: str) -> bool:
    """Of any other name Python's resolver does not say that it is unknown: it raises, as over a caller's mistake."""
    try:
        return bool(host.encode("idna"))
    except UnicodeError:
        return False


def _host_of(url: str) -> str:
    """As calls will name it; nothing if the url is none."""
    try:
        return httpx.URL(url).raw_host.decode("ascii")
    except httpx.InvalidURL:
        return ""


def _host(value: str) -> str:
    if not _can_be_looked_up(value):
        raise Unfit(f"“{value}” {_MISSPELT_HOST.en}", f"“{value}”{_MISSPELT_HOST.zh}")
    return value


def _domain(value: str) -> str:
    if intake.email(f"b@{value}") is None:
        raise Unfit(
            f"“{value}” is not a domain; write it like bounce.example.com",
            f"“{value}”不是域名；请写成 bounce.example.com 这样",
        )
    return value


def _sender(value: str) -> str:
    if intake.email(parseaddr(value)[1]) is None:
        form = "山野茶事 <hello@example.com>"
        raise Unfit(f"has no mail address in it; write it like {form}", f"里面没有邮箱地址；请写成 {form} 这样")
    return value


def _webhook_url(secret: SecretStr) -> SecretStr:
    """Without the address, which may be a secret."""
    url = secret.get_secret_value()
    amiss = _amiss_in(url) if url != NOT_LOOKED_UP else None
    if amiss is not None:
        raise Unfit(amiss.en, amiss.zh)
    return secret


def _recipient(value: str) -> str:
    """Any openid will do that is not meant for a phone number or a mail address."""
    meant_for_another = "@" in value or re.fullmatch(r"[-+() 0-9]+", value)
    if not (intake.phone(value) or intake.email(value) or (intake.openid(value) and not meant_for_another)):
        raise Unfit(
            f"“{value}” is no address; write +8613800138000, me@example.com, or an openid",
            f"“{value}”不是地址；请写 +8613800138000、me@example.com 或 openid",
        )
    return value


def _days(value: object) -> object:
    """`2027-02-05`, or `2027-02-05..2027-02-11` with both ends."""
    if not isinstance(value, list):
        raise Unfit(
            "is not a list of days like [2027-01-01, 2027-02-05..2027-02-11]",
            "应该是一列日期，例如 [2027-01-01, 2027-02-05..2027-02-11]",
        )
    return frozenset(day for item in value for day in _span_of_days(str(item)))


def _span_of_days(written: str) -> list[date]:
    first, _, last = written.partition("..")
    try:
        begin, end = date.fromisoformat(first), date.fromisoformat(last or first)
    except ValueError:
        raise Unfit(
            f"“{written}” is not a day; days look like 2027-01-01, 2027-02-05..2027-02-11",
            f"“{written}”不是日期；写法：2027-01-01、2027-02-05..2027-02-11",
        ) from None
    if not timedelta(0) <= end - begin < timedelta(days=366):
        raise Unfit(f"“{written}” runs backwards, or over more than a year", f"“{written}”前后颠倒，或者超过了一年")
    return [begin + timedelta(days=passed) for passed in range((end - begin).days + 1)]


FromElsewhere = Annotated[str, BeforeValidator(resolve_secret)]  # text that may hold a secret
Secret = Annotated[SecretStr, BeforeValidator(resolve_secret), AfterValidator(_filled)]
SigningKey = Annotated[Secret, AfterValidator(_long_enough)]
AesKey = Annotated[Secret, AfterValidator(_aes_key)]
WebhookUrl = Annotated[Secret, AfterValidator(_webhook_url)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Kept = Annotated[Duration, AfterValidator(_long_kept)]
TimeOfDay = Annotated[time, BeforeValidator(_time)]
Url = Annotated[str, AfterValidator(_url)]
Host = Annotated[str, AfterValidator(_host)]
Domain = Annotated[str, AfterValidator(_domain)]
Sender = Annotated[str, AfterValidator(_sender)]
Recipient = Annotated[str, AfterValidator(_recipient)]
Port = Annotated[int, Field(ge=1, le=65535)]
PortOrFree = Annotated[int, Field(ge=0, le=65535)]  # 0: any that is free
Concurrency = Annotated[int, Field(ge=1, le=256)]
PerSecond = Annotated[float, Field(ge=0.01, le=100_000, allow_inf_nan=False)]
Money = Annotated[Decimal, Field(ge=0)]
Share = Annotated[Decimal, Field(ge=0, le=1)]
Days = Annotated[frozenset[date], BeforeValidator(_days)]
