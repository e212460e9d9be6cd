"""What a raw record may show: everything but what would let its reader act as somebody else."""

import json

import pytest

from engage.core.redaction import HIDDEN, redacted


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"access_token": "abc", "phone": "138"}', {"access_token": HIDDEN, "phone": "138"}),
        ('{"a": [{"Signature": "x", "n": 1}]}', {"a": [{"Signature": HIDDEN, "n": 1}]}),
        ('{"url": "https://x/c/abcdefghijklmnopqrstuvwxyz"}', {"url": f"https://x/c/{HIDDEN}"}),
        ('{"page": "https://x/cb?token=abc&day=1"}', {"page": f"https://x/cb?token={HIDDEN}&day=1"}),
        ('{"sign_name": "山野茶事", "signed": true}', {"sign_name": "山野茶事", "signed": True}),
    ],
)
def test_json_stays_json_without_its_secrets(body, shown):
    assert json.loads(redacted(body)) == shown


def test_xml_keeps_everything_but_its_secrets():
    xml = "<xml><FromUserName>o1</FromUserName><Ticket>TICKET</Ticket><Content>token 多少钱</Content></xml>"
    assert redacted(xml) == xml.replace("TICKET", HIDDEN)


def test_what_is_neither_is_left_as_it_is_but_for_links():
    assert redacted("退订 http://x/u/abcdefghijklmnopqrstuvwxyz 谢谢") == f"退订 http://x/u/{HIDDEN} 谢谢"
