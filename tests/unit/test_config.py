"""`config.yaml`: every mistake at once, each with its key and what to do; never a secret's value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engage.config import Config, load_config
from engage.errors import ConfigError, EngageError

SIGNING = "0123456789abcdef0123456789abcdef"
AES = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
WEB = f"web: {{ signing_key: {SIGNING} }}\n"
WECHAT = f"{{ app_id: wx1, app_secret: s, account: gh_1, callback_token: t, encoding_aes_key: {AES} }}"
SMS = "{ access_key_id: a, access_key_secret: b, sign_name: 山野茶事, callback_secret: c }"
MAIL = "{ host: h, sender: 山野茶事 <hello@example.com>, bounce_domain: bounce.example.com, callback_secret: c }"

Read = Callable[[str], Config]
Told = Callable[[str], str]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a config and load it."""

    def load(text: str) -> Config:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path)

    return load


@pytest.fixture
def mistakes(read: Read) -> Told:
    """The message for a config that cannot be used."""

    def load(text: str) -> str:
        with pytest.raises(ConfigError) as caught:
            read(text)
        return str(caught.value)

    return load


# --- what is read -----------------------------------------------------------------------------------------------


def test_the_least_config_is_a_signing_key_and_the_defaults_are_the_lawful_ones(read: Read) -> None:
    config = read(WEB)
    policy = config.policy
    assert (policy.quiet_hours.start, policy.quiet_hours.end) == (time(21), time(9))
    assert {n: (h.start, h.end) for n, h in policy.marketing_hours.items()} == {"sms": (time(9), time(20, 30))}
    assert [(cap.count, cap.within.days) for cap in policy.caps["marketing"]] == [(1, 1), (3, 7)]
    assert [(cap.count, cap.within.days) for cap in policy.caps["survey"]] == [(1, 7)]
    assert "service" not in policy.caps
    assert (config.database.url, config.web.port, config.channels.sms) == ("sqlite:///engage.db", 8080, None)


def test_an_unquoted_time_of_day_is_that_time(read: Read) -> None:
    """YAML 1.1 reads 21:00 as the number 1260; as seconds that would be 00:21, and the quiet hours would be open."""
    config = read(WEB + "policy: { quiet_hours: { start: 21:30, end: 9:00 }, marketing_hours: {} }")
    assert (config.policy.quiet_hours.start, config.policy.quiet_hours.end) == (time(21, 30), time(9))


def test_values_are_what_they_look_like_in_the_file(read: Read) -> None:
    config = read(
        WEB
        + f"channels: {{ wechat: {WECHAT}, sms: {SMS[:-1]}, price: 0.05, concurrency: 3 }} }}\n"
        + "policy: { caps: { marketing: [ { count: 2, within: 1d12h } ] } }\n"
        + "test_recipients: [13800138000, me@example.com, oA1b2C3d4E5f6]\n"
        + "lang:\n"
    )
    assert config.channels.wechat is not None
    assert config.channels.sms is not None
    assert (config.channels.sms.price, config.channels.sms.concurrency) == (Decimal("0.05"), 3)
    assert config.policy.caps["marketing"][0].within == timedelta(hours=36)
    assert (config.test_recipients, config.lang) == (["13800138000", "me@example.com", "oA1b2C3d4E5f6"], None)


def test_a_trailing_slash_is_no_part_of_an_address(read: Read) -> None:
    config = read(f"web: {{ signing_key: {SIGNING}, public_url: https://engage.example.com/ }}")
    assert config.web.public_url == "https://engage.example.com"


# --- secrets ----------------------------------------------------------------------------------------------------


def test_secrets_come_from_the_environment_or_a_file(
    read: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGAGE_SIGNING_KEY", SIGNING)
    (tmp_path / "shop.key").write_text("shop-secret\n", encoding="utf-8")
    config = read(f"web: {{ signing_key: env:ENGAGE_SIGNING_KEY, api_keys: {{ shop: 'file:{tmp_path}/shop.key' }} }}")
    assert config.web.signing_key.get_secret_value() == SIGNING
    assert config.web.api_keys["shop"].get_secret_value() == "shop-secret"


def test_a_config_that_is_printed_shows_no_secret(read: Read) -> None:
    config = read(WEB + f"channels: {{ wechat: {WECHAT} }}")
    for shown in (repr(config), str(config), config.model_dump_json()):
        assert SIGNING not in shown
        assert AES not in shown


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("env:NO_SUCH_VARIABLE_HERE", "the environment variable NO_SUCH_VARIABLE_HERE is not set"),
        ("file:/no/such/file", "the file /no/such/file does not exist"),
        ("file:/tmp", "the file /tmp cannot be read as text"),
        ("hunter2", "is too short; use at least 32 random characters"),
        ("''", "is empty; write the secret, or env:NAME, or file:/path"),
    ],
)
def test_a_secret_that_cannot_be_had_says_why(mistakes: Told, secret: str, why: str) -> None:
    message = mistakes(f"web: {{ signing_key: {secret} }}")
    assert f"web.signing_key: {why}" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "text",
    [
        "web: {{ signing_key: [{secret}] }}",
        "web: {{ signing_key: {{ a: {secret} }} }}",
        "web: {{ signing_key: {secret}, port: {secret} x }}\nnonsense: {secret}",
        "web:\n  signing_key: *{secret}",
        "web:\n  signing_key: !{secret} x",
        "web:\n  signing_key: '{secret}",
        'web:\n  signing_key: "{secret}\\q"',
        "web:\n  signing_key: {secret}: {secret}",
        "web: {{ signing_key: {secret}\n",
        "web:\n  signing_key: @{secret}",
        "{secret}",
        "web:\n\t{secret}: 1",
    ],
)
def test_no_mistake_shows_a_secret(mistakes: Told, text: str) -> None:
    assert "canary-Xq7" not in mistakes(text.format(secret="canary-Xq7")).replace("canary-Xq7: there is no", "")


# --- mistakes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("polcy: {}", "polcy: there is no such key; did you mean policy?"),
        ("policy: { quiet_hour: {} }", "policy.quiet_hour: there is no such key; did you mean quiet_hours?"),
        ("zzz: 1", "zzz: there is no such key"),
        ("policy: { quiet_hours: { start: 21:00 } }", "policy.quiet_hours.end: is missing; see config.example.yaml"),
        (
            "policy: { quiet_hours: { start: 9pm, end: 09:00 } }",
            "policy.quiet_hours.start: “9pm” is not a time of day; write it like 09:30",
        ),
        (
            "policy: { caps: { marketing: [ { count: 1, within: 1 day } ] } }",
            "policy.caps.marketing.0.within: “1 day” is not a duration; durations look like 30m, 2h, 3d, 1d12h",
        ),
        (
            "policy: { caps: { marketing: [ { count: 1, within: 99999w } ] } }",
            "policy.caps.marketing.0.within: “99999w” is out of range; write something between 1m and 3660d",
        ),
        (
            "policy: { caps: { marketing: [ { count: -1, within: 1d } ] } }",
            "policy.caps.marketing.0.count: Input should be greater than or equal to 0",
        ),
        (
            "policy: { marketing_hours: { smss: { start: 09:00, end: 20:30 } } }",
            "policy: marketing_hours.smss: there is no such channel; the channels are wechat, sms, email",
        ),
        ("policy: { engagement: { SMS: 0.1 } }", "policy: engagement.SMS: there is no such channel"),
        ("policy: { engagement: { sms: 30 } }", "policy.engagement.sms: Input should be less than or equal to 1"),
        ("database: { url: }", "database.url: Input should be a valid string"),
        ("channels: { sms: yes }", "channels.sms: Input should be a valid dictionary"),
        (f"channels: {{ wechat: {WECHAT.replace(AES, 'short')} }}", "channels.wechat.encoding_aes_key: is not an"),
        (f"channels: {{ sms: {SMS[:-1]}, base_url: ftp://x }} }}", "“ftp://x” is not a web address"),
        (f"channels: {{ sms: {SMS[:-1]}, concurrency: 0 }} }}", "channels.sms.concurrency: Input should be greater"),
        (
            "policy: { workdays: { 2028: { holidays: [2028-02-30] } } }",
            "policy.workdays.2028.holidays: “2028-02-30” is not a day; days look like 2027-01-01, 2027-02-05..",
        ),
        (
            "policy: { workdays: { 2028: { holidays: [2028-02-03..2028-01-30] } } }",
            "policy.workdays.2028.holidays: “2028-02-03..2028-01-30” runs backwards, or over more than a year",
        ),
        (
            "policy: { workdays: { 2028: { holidays: 2028-02-03 } } }",
            "policy.workdays.2028.holidays: is not a list of days",
        ),
        (
            "policy: { workdays: { 2028: { make_up_days: [2027-02-07] } } }",
            "policy: workdays.2028: 2027-02-07 is not a day of 2028",
        ),
        (
            "policy: { workdays: { 2028: { holidays: [2028-01-22], make_up_days: [2028-01-22] } } }",
            "policy.workdays.2028: 2028-01-22 is both a holiday and a make-up day",
        ),
        (
            f"channels: {{ email: {MAIL.replace('hello@example.com', '')} }}",
            "channels.email.sender: has no",
        ),
        (f"channels: {{ email: {MAIL.replace('bounce.', 'http://')} }}", "channels.email.bounce_domain: “http://"),
        (
            "webhooks: { crm: { url: crm.example/x } }",
            "webhooks.crm.url: is not a web address; it starts with https://",
        ),
        (
            "webhooks: { crm: { url: https://crm..example/x } }",
            "webhooks.crm.url: has a host that cannot be; look for two",
        ),
        (
            f"webhooks: {{ crm: {{ url: https://{'a' * 64}.example/x }} }}",
            "webhooks.crm.url: has a host that cannot be",
        ),
        ("webhooks: { crm: { url: https:///x } }", "webhooks.crm.url: has a host that cannot be"),
        (
            f"channels: {{ email: {MAIL.replace('host: ', 'host: .')} }}",
            "channels.email.host: “.",
        ),
        (
            f"channels: {{ sms: {SMS.replace(' }', ', base_url: https://sms..example }')} }}",
            "channels.sms.base_url: “https://sms..example” has a host that cannot be",
        ),
        (
            "test_recipients: [12345678901234567890]",
            "test_recipients.0: “12345678901234567890” is no address",
        ),
        ("test_recipients: [138001380]", "test_recipients.0: “138001380” is no address; write +86"),
        ("test_recipients: [me@shop]", "test_recipients.0: “me@shop” is no address"),
        ("lang: fr", "lang: Input should be 'en' or 'zh'"),
    ],
)
def test_each_mistake_names_its_key_and_what_to_do(mistakes: Told, more: str, expected: str) -> None:
    assert expected in mistakes(WEB + more)


def test_a_year_of_workdays_is_read_with_its_spans(read: Read) -> None:
    days = "{ holidays: [2028-01-26..2028-01-28], make_up_days: [2028-01-22] }"
    calendar = read(WEB + f"policy: {{ workdays: {{ 2028: {days} }} }}").policy.work_calendar()
    assert [calendar.is_workday(date(2028, 1, day)) for day in (22, 25, 26, 28, 29, 31)] == [
        True, True, False, False, False, True,
    ]  # fmt: skip


def test_all_mistakes_are_told_at_once(mistakes: Told) -> None:
    message = mistakes("web: { port: 0 }\npolcy: {}\nlang: fr\n")
    assert [line.split(":")[0].strip() for line in message.splitlines()[1:]] == [
        "web.port",
        "web.signing_key",
        "lang",
        "polcy",
    ]


@pytest.mark.parametrize(
    ("quiet", "marketing", "works"),
    [
        ("{ start: 21:00, end: 09:00 }", "{ start: 09:00, end: 20:30 }", True),
        ("{ start: 21:00, end: 09:00 }", "{ start: 20:00, end: 10:00 }", True),
        ("{ start: 21:00, end: 09:00 }", "{ start: 21:30, end: 08:30 }", False),
        ("{ start: 21:00, end: 09:00 }", "{ start: 21:00, end: 09:00 }", False),
        ("{ start: 21:00, end: 09:00 }", "{ start: 10:00, end: 10:00 }", False),
        ("{ start: 09:00, end: 21:00 }", "{ start: 09:00, end: 20:30 }", False),
    ],
)
def test_hours_that_leave_no_room_are_refused(
    read: Read, mistakes: Told, quiet: str, marketing: str, works: bool
) -> None:
    text = WEB + f"policy: {{ quiet_hours: {quiet}, marketing_hours: {{ email: {marketing} }} }}"
    if works:
        assert "email" in read(text).policy.marketing_hours
        return
    message = mistakes(text)
    assert "policy: marketing_hours.email: " in message
    assert "lies wholly inside the quiet hours" in message
    assert message.endswith("change one of the two")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "must be a mapping, like config.example.yaml"),
        ("- a\n- b\n", "must be a mapping, like config.example.yaml"),
        ("web: {\n", "is not valid YAML: line 2: "),
        ("web: { a: 1 }\nlang: en\nweb: { b: 2 }\n", "is not valid YAML: line 3: this key is given twice"),
        ("a: \x00", "is not valid YAML: it is not a text file that YAML can read"),
        ("[" * 3000, "is not valid YAML: it is not a text file that YAML can read"),
    ],
)
def test_a_file_that_is_no_mapping(mistakes: Told, text: str, expected: str) -> None:
    assert expected in mistakes(text)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.yaml does not exist\. `engage init DIR` makes a project with one"):
        load_config(tmp_path / "config.yaml")


def test_a_folder_is_no_config(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes("web: 品牌".encode("gb18030"))
    with pytest.raises(ConfigError, match="is not valid YAML"):
        load_config(path)


def test_code_that_retries_faults_does_not_swallow_a_config_error() -> None:
    assert not issubclass(ConfigError, EngageError)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="web:signkey{}[],&*!|>'\"%@`\n\t ~#-?0172:山", max_size=60))
def test_no_file_is_worse_than_a_config_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        load_config(path)
