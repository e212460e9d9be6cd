"""Aliyun's SMS gateway over real HTTP, with a signer of the test's own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sandbox_bench import HTTP, LIN, WANG, Bench, MakeBench

from engage.sandbox.loopback import Answer, Request
from engage.sandbox.model import Type
from engage.sandbox.sms_signature import signature

PHONE = LIN.phone or ""


def pushed(bench: Bench) -> list[dict[str, Any]]:
    """What the gateway pushed to the engine's secret address, one item a push."""
    items = [json.loads(request.body) for request in bench.engine.at("/callbacks/aliyun_sms/sms-path")]
    return [item for (item,) in items]


def test_the_providers_published_signature() -> None:
    """The worked example of Aliyun's documentation of V3 signatures."""
    request = Request(
        "POST",
        "/",
        {"ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd", "RegionId": "cn-shanghai"},
        {
            "host": "ecs.cn-shanghai.aliyuncs.com",
            "x-acs-action": "RunInstances",
            "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "x-acs-date": "2023-10-26T10:22:32Z",
            "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
            "x-acs-version": "2014-05-26",
        },
        b"",
    )
    expected = "06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    assert signature(request, sorted(request.headers), "YourAccessKeySecret") == expected


def test_a_message_is_filled_in_and_handed_over(bench: Bench) -> None:
    answer = bench.text_message()
    assert (answer["Code"], answer["Message"]) == ("OK", "OK")
    assert answer["BizId"].endswith("^0")
    (handover,) = bench.world.phone(LIN.key).received
    assert handover.text == "【山野茶事】林晚，生日快乐。拒收请回复R"
    assert handover.payload["OutId"] == "d42"
    assert bench.text_message()["BizId"] != answer["BizId"]


def test_a_text_approved_later_is_known_from_then_on(bench: Bench) -> None:
    assert bench.text_message(template="SMS_9")["Code"] == "isv.SMS_TEMPLATE_ILLEGAL"
    bench.sms_texts["SMS_9"] = "${name}，新茶到了"
    assert bench.text_message(template="SMS_9")["Code"] == "OK"
    assert bench.world.phone(LIN.key).received[-1].text == "【山野茶事】林晚，新茶到了"


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"authorization": "Basic abc"}, 400, "IncompleteSignature"),
        ({"x_acs_date": "2026-03-02T02:00:01Z"}, 400, "SignatureDoesNotMatch"),
        ({"x_acs_extra": "unsigned"}, 400, "IncompleteSignature"),
        ({"x_acs_content_sha256": "0" * 64}, 400, "SignatureDoesNotMatch"),
    ],
)
def test_a_request_that_is_not_properly_signed_goes_nowhere(
    bench: Bench, changes: Mapping[str, str], status: int, code: str
) -> None:
    answer = bench.sign_and_send({"PhoneNumbers": PHONE, "SignName": "山野茶事", "TemplateCode": "SMS_2"}, **changes)
    assert (answer.status_code, answer.json()["Code"]) == (status, code)
    assert bench.world.phone(LIN.key).received == ()


def test_another_key_or_secret_is_refused(bench: Bench) -> None:
    wrong = f"ACS3-HMAC-SHA256 Credential=LTAI9,SignedHeaders=host,Signature={'0' * 64}"
    assert bench.sign_and_send({}, authorization=wrong).json()["Code"] == "InvalidAccessKeyId.NotFound"


def test_a_request_is_good_for_a_quarter_of_an_hour_and_once(bench: Bench) -> None:
    query = {"PhoneNumbers": PHONE, "SignName": "山野茶事", "TemplateCode": "SMS_2"}
    first = bench.sign_and_send(query)
    request = first.request
    again = HTTP.send(httpx.Request("POST", request.url, headers=request.headers))
    assert (first.json()["Code"], again.json()["Code"]) == ("OK", "SignatureNonceUsed")
    bench.clock.advance_to(bench.clock.now() + timedelta(minutes=15, seconds=1))
    late = HTTP.send(httpx.Request("POST", request.url, headers=request.headers))
    assert late.json()["Code"] == "InvalidTimeStamp.Expired"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"TemplateCode": "SMS_9"}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"SignName": ""}, "isv.SMS_SIGN_ILLEGAL"),
        ({"PhoneNumbers": "12345"}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"TemplateParam": "{}"}, "isv.TEMPLATE_MISSING_PARAMETERS"),
        ({"TemplateParam": "name"}, "isv.INVALID_JSON_PARAM"),
        ({"TemplateParam": json.dumps({"name": "林" * 36})}, "isv.PARAM_LENGTH_LIMIT"),
        ({"TemplateParam": json.dumps({"name": "https://x.cn"})}, "isv.PARAM_NOT_SUPPORT_URL"),
    ],
)
def test_what_the_service_refuses_is_an_answer_with_a_code(bench: Bench, changes: Mapping[str, str], code: str) -> None:
    assert bench.text_message(**changes)["Code"] == code
    assert bench.world.phone(LIN.key).received == ()


def test_the_report_comes_later_and_tells_of_a_dead_phone(bench: Bench) -> None:
    good, dead = bench.text_message(), bench.text_message(phone=f"+86{WANG.phone}")
    bench.world.tick()
    assert pushed(bench) == []
    bench.go_on(timedelta(seconds=10))
    reports = {report["biz_id"]: report for report in pushed(bench)}
    assert reports[good["BizId"]]["success"] is True
    assert reports[good["BizId"]]["err_code"] == "DELIVERED"
    assert reports[good["BizId"]]["send_time"] == "2026-03-02 10:00:00"  # Beijing's clock
    assert reports[good["BizId"]]["out_id"] == "d42"
    assert (reports[dead["BizId"]]["success"], reports[dead["BizId"]]["err_code"]) == (False, "MK:0001")
    assert bench.world.phone(WANG.key).received == ()


def test_a_reply_is_pushed_with_the_extension_it_answers(bench: Bench) -> None:
    bench.text_message(SmsUpExtendCode="07")
    bench.go_on(timedelta(minutes=1))
    bench.world.act(Type("sms", PHONE, "ｒ"))
    reply = pushed(bench)[-1]
    assert (reply["phone_number"], reply["content"]) == (PHONE, "ｒ")
    assert reply["dest_code"].endswith("07")
    assert isinstance(reply["sequence_id"], str)


def test_pushes_are_repeated_after_one_five_and_ten_minutes(bench: Bench) -> None:
    bench.engine.answers["/callbacks/aliyun_sms"] = Answer(200, b'{"code":1}')
    bench.world.act(Type("sms", PHONE, "R"))
    bench.go_on(timedelta(minutes=5))
    assert len(pushed(bench)) == 2
    bench.go_on(timedelta(hours=1))
    assert len(pushed(bench)) == 4
    assert len({item["sequence_id"] for item in pushed(bench)}) == 1
    assert len(bench.world.given_up()) == 1


def test_a_number_that_nobody_in_the_world_has_gets_a_phone(bench: Bench) -> None:
    assert bench.text_message(phone="13700000000")["Code"] == "OK"
    (stranger,) = [person for person in bench.world.people() if person.phone == "13700000000"]
    assert len(bench.world.phone(stranger.key).received) == 1


def test_two_worlds_of_one_seed_answer_alike(make_bench: MakeBench, bench: Bench) -> None:
    other = make_bench(folder=bench.folder / "other")
    assert bench.text_message()["BizId"] == other.text_message()["BizId"]
