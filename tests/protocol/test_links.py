"""Links and keys beyond their vectors: what is never shown, and what no typo gets past."""

import pytest
import zmq
from hypothesis import given
from hypothesis import strategies as st

from zchat.errors import BadLinkError
from zchat.protocol import links

KEY, CODE = links.encode_key(bytes(range(32))), links.encode_code(bytes(range(16)))
LINK = f"zchat://chat.example.org/{KEY}/{CODE}"

ports = st.integers(1, 65_535)
hosts = st.one_of(st.ip_addresses().map(str), st.from_regex(r"\A[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?\Z"))
places = st.lists(st.tuples(hosts, ports), min_size=1, max_size=links.HOSTS_MAX).map(tuple)
keys = st.binary(min_size=32, max_size=32)
codes = st.none() | st.binary(min_size=16, max_size=16).map(links.encode_code)


@given(places, keys, codes)
def test_what_is_written_is_read_again(hosts: tuple[tuple[str, int], ...], key: bytes, code: str | None) -> None:
    link = links.BrokerLink(hosts, key, code)
    assert links.parse(link.text) == link
    assert links.parse(link.text.upper()) == link


@given(st.text() | st.text(alphabet="zchat:/.,[]-0123456789 ").map(lambda rest: "zchat://" + rest))
def test_whatever_is_no_link_is_refused_with_one_error(text: str) -> None:
    with pytest.raises(BadLinkError):
        links.parse(text)


@given(st.integers(0, len(KEY + CODE) - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_no_single_wrong_letter_leads_anywhere(place: int, letter: str) -> None:
    text = KEY + CODE
    wrong = text[:place] + letter + text[place + 1 :]
    if wrong != text:
        with pytest.raises(BadLinkError, match="typo"):
            links.parse(f"zchat://chat.example.org/{wrong[: len(KEY)]}/{wrong[len(KEY) :]}")


@given(st.integers(0, len(LINK) - 1))
def test_no_part_of_a_link_leads_elsewhere(length: int) -> None:
    part = LINK[:length]
    if part == f"zchat://chat.example.org/{KEY}":
        return
    with pytest.raises(BadLinkError) as refused:
        links.parse(part)
    assert refused.value.kind in {"cut_short", "no_key", "host"}


def test_no_error_and_no_repr_shows_the_code() -> None:
    assert CODE not in repr(links.parse(LINK))
    for wrong in (LINK + "a", LINK + "/x", LINK.replace(KEY, KEY[1:]), LINK.replace("chat.example.org", "*")):
        with pytest.raises(BadLinkError) as refused:
            links.parse(wrong)
        assert CODE[4:] not in str(refused.value)


def test_the_keys_that_libzmq_makes_are_read() -> None:
    public, _ = zmq.curve_keypair()
    assert links.z85(links.from_z85(public)) == public


@pytest.mark.parametrize("text", [b"", b"a" * 39, b"a" * 41, b"~" * 40, b"#" * 40, b'"' * 40])
def test_what_is_no_key_in_z85_is_refused(text: bytes) -> None:
    with pytest.raises(links.BadKeyError):
        links.from_z85(text)


CREDENTIAL = links.key_text(bytes(32))


@pytest.mark.parametrize("text", ["", "key:", CREDENTIAL[4:], CREDENTIAL + "a", CREDENTIAL.upper(), "uid:1000@host"])
def test_what_is_no_credential_of_a_key_is_refused(text: str) -> None:
    with pytest.raises(links.BadKeyError):
        links.key_bytes(text)


def test_a_link_names_at_most_so_many_hosts() -> None:
    many = ",".join(["a"] * (links.HOSTS_MAX + 1))
    with pytest.raises(BadLinkError, match="more than 16"):
        links.parse(f"zchat://{many}/{KEY}")
