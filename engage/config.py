"""`config.yaml`: what ops own. Journeys may tighten these rules, never loosen them.

Secrets may be written as `env:NAME` or `file:/path`, so that the file itself can be kept in git.
"""

from __future__ import annotations

import os
from datetime import time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from engage.core.duration import parse_duration, parse_time


class ConfigError(Exception):
    """The configuration cannot be used: the message says which key, what is wrong and what to write.

    Stands outside `EngageError`, so that retry code cannot swallow it.
    """


def _resolve_secret(value: object) -> object:
    if isinstance(value, str) and value.startswith("env:"):
        name = value.removeprefix("env:")
        if name not in os.environ:
            raise ValueError(f"the environment variable {name} is not set")
        return os.environ[name]
    if isinstance(value, str) and value.startswith("file:"):
        path = Path(value.removeprefix("file:"))
        if not path.is_file():
            raise ValueError(f"the file {path} does not exist")
        return path.read_text(encoding="utf-8").strip()
    return value


def _duration(value: object) -> object:
    if isinstance(value, str):
        parsed = parse_duration(value)
        if parsed is None:
            raise ValueError(f"“{value}” is not a duration; durations look like 30m, 2h, 3d, 1d12h")
        return parsed
    return value


def _time(value: object) -> object:
    if isinstance(value, str):
        parsed = parse_time(value)
        if parsed is None:
            raise ValueError(f"“{value}” is not a time of day; write it like 09:30")
        return parsed
    return value


Secret = Annotated[SecretStr, BeforeValidator(_resolve_secret)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
TimeOfDay = Annotated[time, BeforeValidator(_time)]
Url = Annotated[str, AfterValidator(lambda url: url.rstrip("/"))]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Database(Section):
    url: str = "sqlite:///engage.db"  # a relative SQLite path is relative to the config file


class Web(Section):
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: Url = "http://127.0.0.1:8080"  # how followers and providers reach us
    signing_key: Secret  # signs links and unsubscribe tokens; at least 32 characters
    api_keys: dict[str, Secret] = Field(default_factory=dict)  # name → key


class WeChat(Section):
    app_id: str
    app_secret: Secret
    account: str  # gh_…: the account's original id, the ToUserName of callbacks
    callback_token: Secret
    encoding_aes_key: Secret  # 43 characters; callbacks are accepted in safe mode only
    base_url: Url = "https://api.weixin.qq.com"
    concurrency: int = 8


class Sms(Section):
    """Aliyun Dysmsapi 2017-05-25."""

    access_key_id: str
    access_key_secret: Secret
    sign_name: str
    callback_secret: Secret  # Aliyun's pushes are not signed: the secret is part of the callback path
    base_url: Url = "https://dysmsapi.aliyuncs.com"
    price: Decimal = Decimal("0.045")  # per segment
    concurrency: int = 8


class Email(Section):
    host: str
    port: int = 587
    security: Literal["none", "starttls", "tls"] = "starttls"
    username: str | None = None
    password: Secret | None = None
    sender: str  # "山野茶事 <hello@example.com>"
    bounce_domain: str  # envelope senders are b+<delivery>@<bounce_domain>
    callback_secret: Secret  # the mail server posts bounces to /callbacks/email/<secret>
    price: Decimal = Decimal("0.001")
    concurrency: int = 4


class Channels(Section):
    wechat: WeChat | None = None
    sms: Sms | None = None
    email: Email | None = None


class Hours(Section):
    """A daily span of local time. `start` later than `end` runs over midnight."""

    start: TimeOfDay
    end: TimeOfDay


class Cap(Section):
    count: int
    within: Duration


class Policy(Section):
    quiet_hours: Hours = Hours(start=time(21, 0), end=time(9, 0))
    marketing_hours: dict[str, Hours] = Field(
        default_factory=lambda: {"sms": Hours(start=time(9, 0), end=time(20, 30))}
    )
    caps: dict[str, list[Cap]] = Field(
        default_factory=lambda: {
            "marketing": [Cap(count=1, within=timedelta(days=1)), Cap(count=3, within=timedelta(days=7))],
            "survey": [Cap(count=1, within=timedelta(days=7))],
        }
    )  # by topic; a topic without a row has no cap
    response_value: Decimal = Decimal("1.00")  # what one response is worth, for ranking channels
    engagement: dict[str, Decimal] = Field(
        default_factory=lambda: {"wechat": Decimal("0.30"), "email": Decimal("0.08"), "sms": Decimal("0.06")}
    )  # expected share of messages answered or clicked


class StaffWebhook(Section):
    """A group robot: WeCom, DingTalk or Feishu; `json` posts the task as it is."""

    url: Secret
    format: Literal["wecom", "dingtalk", "feishu", "json"] = "wecom"
    secret: Secret | None = None  # DingTalk and Feishu: signs the request


class Config(Section):
    database: Database = Database()
    web: Web
    channels: Channels = Channels()
    policy: Policy = Policy()
    webhooks: dict[str, StaffWebhook] = Field(default_factory=dict)
    test_recipients: list[str] = Field(default_factory=list)  # the only addresses `engage send-test` may use
    lang: Literal["en", "zh"] | None = None  # of messages to people at the terminal; None: the locale's


def load_config(path: Path) -> Config:
    """Read and validate. Every mistake at once, each with its key; never a secret's value."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist. `engage init DIR` makes a project with one.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(raw, dict):
        raise ConfigError(f"{path} must be a mapping, like config.example.yaml")
    try:
        return Config.model_validate(raw)
    except ValidationError as error:
        lines = [
            f"  {'.'.join(str(part) for part in item['loc'])}: {item['msg'].removeprefix('Value error, ')}"
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigError("\n".join([f"{path} cannot be used:", *lines])) from None
