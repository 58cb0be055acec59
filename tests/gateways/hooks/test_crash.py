"""A gateway that is killed under a load of hooks: its senders try again, and each delivery is said exactly once."""

import itertools
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx

from .conftest import HTTP, Gateway

SENDERS, EACH, KILLS = 8, 20, 2


def deliver(address: str, text: str, done: "itertools.count[int]", news: threading.Event) -> int:
    """Post as senders do: with a key, again and again until it is accepted; return how many tries it took."""
    for tries in itertools.count(1):
        try:
            answer = HTTP.post(address, content=text.encode(), headers={"Idempotency-Key": text})
        except httpx.TransportError:
            continue
        if answer.status_code == 200:
            next(done)
            news.set()
            return tries
        assert answer.status_code in (429, 503), answer.text
    raise AssertionError


def test_a_gateway_that_is_killed_loses_and_doubles_nothing(own_gateway: Gateway, room: str) -> None:
    address = own_gateway.hook(room)
    done, news = itertools.count(), threading.Event()

    def send(sender: int) -> list[int]:
        return [deliver(address, f"{sender}-{number}", done, news) for number in range(EACH)]

    with ThreadPoolExecutor(SENDERS) as pool:
        running = [pool.submit(send, sender) for sender in range(SENDERS)]
        for _ in range(KILLS):
            for _ in range(5):  # while deliveries are on their way
                news.clear()
                assert news.wait(60)
            own_gateway.kill()
            own_gateway.start()
        tries = [each for future in running for each in future.result(120)]
    said = Counter(own_gateway.said(room))
    assert said == Counter(f"{sender}-{number}" for sender in range(SENDERS) for number in range(EACH))
    assert max(tries) > 1, "some deliveries were tried again"
