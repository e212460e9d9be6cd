"""config.example.yaml: it can be used as it stands, names every key, and a new project gets secrets of its own."""

import re
from typing import get_args

import pytest
import yaml

from engage.channels.registry import build_channels, build_sources
from engage.cli.app import main
from engage.cli.shipped import EXAMPLE_CONFIG
from engage.clock import SystemClock
from engage.config import Config, Section, load_config

_TEXT = EXAMPLE_CONFIG.read_text(encoding="utf-8")


def _sections(kind, seen):
    """Every section class that a config may hold, whatever it is wrapped in."""
    if isinstance(kind, type) and issubclass(kind, Section):
        if kind not in seen:
            seen.append(kind)
            for field in kind.model_fields.values():
                _sections(field.annotation, seen)
    else:
        for part in get_args(kind):
            _sections(part, seen)
    return seen


def test_it_can_be_used_as_it_stands():
    config = load_config(EXAMPLE_CONFIG)
    assert set(build_channels(config, SystemClock())) == {"wechat", "sms", "email"}
    assert set(build_sources(config)) == {"wechat", "aliyun_sms", "email"}


@pytest.mark.parametrize("section", _sections(Config, []), ids=lambda section: section.__name__)
def test_every_key_is_named(section):
    missing = [name for name in section.model_fields if not re.search(rf"\b{name}:", _TEXT)]
    assert missing == []


def test_the_policy_it_shows_is_the_default_one():
    shown = load_config(EXAMPLE_CONFIG).policy
    assert shown == Config.model_fields["policy"].default


def _init(folder):
    with pytest.raises(SystemExit) as ended:
        main(["init", str(folder)])
    assert ended.value.code == 0
    return folder / "config.yaml"


def test_a_new_project_has_secrets_of_its_own(tmp_path):
    first, second = (_init(tmp_path / name) for name in ("one", "two"))
    assert "example-" not in yaml.safe_dump(yaml.safe_load(first.read_text(encoding="utf-8")))
    one, two = load_config(first), load_config(second)
    assert len(one.web.signing_key.get_secret_value()) >= 32
    assert one.web.signing_key != two.web.signing_key
    assert one.web.api_keys["shop"] != one.web.signing_key
    assert one.channels.wechat.encoding_aes_key != two.channels.wechat.encoding_aes_key
    assert first.stat().st_mode & 0o077 == 0  # for the owner's eyes only


def test_a_new_project_keeps_its_secrets_and_its_data_out_of_git(tmp_path):
    ignored = (_init(tmp_path / "shop").parent / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"config.yaml", "engage.db*", "sandbox/"} <= set(ignored)
