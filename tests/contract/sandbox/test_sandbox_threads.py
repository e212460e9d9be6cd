"""Many clients at once, while the driver ticks."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sandbox_bench import Bench

PHONES = [f"1380000{number:04d}" for number in range(8)]


def test_each_message_is_taken_once_and_in_a_place_of_its_own(bench: Bench) -> None:
    with ThreadPoolExecutor(8) as clients:
        answers = [clients.submit(bench.text_message, phone, "SMS_2") for phone in PHONES * 5]
        while not all(answer.done() for answer in answers):
            bench.world.tick()
    biz_ids = {answer.result()["BizId"] for answer in answers}
    lines = [json.loads(line) for line in (bench.folder / "truth" / "sms.jsonl").read_text().splitlines()]
    assert Counter(line["address"] for line in lines) == dict.fromkeys(PHONES, 5)
    assert len(biz_ids) == len({line["id"] for line in lines}) == 40
    assert {line["provider_id"] for line in lines} == biz_ids
    assert sorted(line["seq"] for line in lines) == list(range(1, 41))
    bench.go_on(timedelta(minutes=1))
    assert len(bench.engine.at("/callbacks/aliyun_sms")) == 40
