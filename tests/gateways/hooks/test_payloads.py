"""What senders post, and what is said of it.

The payloads beside this file are those that the projects publish, cut down to the fields that are read: GitHub's from
octokit/webhooks (MIT), the others written anew in the shape that their documentation shows.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zchat.gateways.hooks import payloads
from zchat.gateways.hooks.payloads import github, gitlab, monitors, slack, value

LIMIT = 16 * 1024
PUBLISHED = [
    pytest.param(case, id=f"{path.stem}: {case['as']}")
    for path in sorted((Path(__file__).parent / "payloads").glob("*.json"))
    for case in json.loads(path.read_text())
]


def read(body: Any, kind: str = payloads.AUTO, **headers: str) -> str | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return payloads.read(kind, named, raw, LIMIT)


@pytest.mark.parametrize("case", PUBLISHED)
def test_a_published_payload_is_one_readable_message(case: dict[str, Any]) -> None:
    headers = {"content-type": "application/json", **case["headers"]}
    assert payloads.read(payloads.AUTO, headers, json.dumps(case["body"]).encode(), LIMIT) == case["said"]


@pytest.mark.parametrize(
    ("body", "content", "said"),
    [
        (b"done", "application/x-www-form-urlencoded", "done"),  # what `curl -d done` sends
        (b"two\r\nlines\n", "text/plain; charset=utf-8", "two\nlines"),
        (b'{"text": "hi"}', "application/x-www-form-urlencoded", "hi"),
        (b"payload=%7B%22text%22%3A+%22hi%22%7D", "application/x-www-form-urlencoded", "hi"),
        (b"{a curly beginning", "text/plain", "{a curly beginning"),
        (b"caf\xe9", "text/plain", "caf\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_text_is_said_as_it_is(body: bytes, content: str, said: str) -> None:
    assert read(body, content_type=content) == said


def parts(*fields: tuple[str, str]) -> bytes:
    """Return a form as `curl -F` and Uptime Kuma post it; the boundary is `x`."""
    each = (f"--x\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n" for name, value in fields)
    return ("".join(each) + "--x--\r\n").encode()


FORM = {"content_type": "multipart/form-data; boundary=x"}
LOG = '"log"; filename="build.log"\r\nContent-Type: text/plain'
KUMA = json.dumps({"heartbeat": None, "monitor": None, "msg": "Kuma Testing"})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (parts(('"data"', KUMA)), "Kuma Testing"),  # Uptime Kuma with multipart/form-data
        (parts(('"text"', "built\r\nin 3 s")), "built\nin 3 s"),  # curl -F text=…
        (parts(('"text"', "caf\u00e9"), ('"username"', "ci"), ('"channel"', "x")), "ci: caf\u00e9"),
        (parts(('"payload"', '{"text": "hi"}'), (LOG, "a file is left out")), "hi"),
    ],
)
def test_a_form_of_several_parts_is_an_object_of_its_fields(body: bytes, said: str) -> None:
    assert read(body, **FORM) == said


@pytest.mark.parametrize(
    ("body", "headers", "why"),
    [
        (b"", {}, "nothing to say"),
        (b" \n\t", {}, "nothing to say"),
        (b'{"text": ""}', {}, "nothing to say"),
        (b'{"text": "\x07\\u202e"}', {"content_type": "application/json"}, "no JSON object"),  # a raw control character
        (b'{"text": "\\u0007\\u202e"}', {}, "nothing to say"),
        (b'["text"]', {"content_type": "application/json"}, "no JSON object"),
        (b"payload=nothing", {"content_type": "application/x-www-form-urlencoded"}, "no JSON object"),
        (b"payload=%ff", {"content_type": "application/x-www-form-urlencoded"}, "no JSON object"),
        (parts(('"title"', "x")), FORM, 'it has no "text"'),
        (parts((LOG, "a file alone")), FORM, "its field `text`"),
        (b"--x", FORM, "its field `text`"),
        (b"--y\r\n", FORM, "cannot be read"),
        (parts(('"text"', "x")), {"content_type": "multipart/form-data"}, "cannot be read"),
        (parts(*((f'"{number}"', "") for number in range(1_000))), FORM, "cannot be read"),
        (b'{"title": "x"}', {}, "not known here"),
        (b"{half", {"content_type": "application/json"}, "though its Content-Type says so"),
        (b"\x7fELF\0\0done", {}, "no text"),
        (b"[" * 500_000, {"content_type": "application/json"}, "no JSON object"),
        (b'{"text":' * 100_000, {"content_type": "application/json"}, "no JSON object"),
        (b'{"text": ' + b"9" * 10_000 + b"}", {"content_type": "application/json"}, "no JSON object"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(body: bytes, headers: dict[str, str], why: str) -> None:
    with pytest.raises(payloads.UnreadableError, match=why):
        read(body, **headers)


def test_a_hook_for_one_kind_reads_no_other() -> None:
    with pytest.raises(payloads.UnreadableError):
        read(b"done", "github")
    assert read({"text": "hi"}, "text") == '{"text": "hi"}'


def test_what_acts_or_is_half_a_character_is_not_said() -> None:
    body = b'{"text": "a\\u001b]0;x\\u0007b\\u202ec\\u0000\\ud83dd\\tf"}'
    assert read(body) == "a]0;xbc\N{REPLACEMENT CHARACTER}d    f"
    title = {"action": "opened", "issue": {"number": 1, "title": "one\n\n\x1b[2Jtwo"}, "sender": {"login": "al\nice"}}
    assert read(title, x_github_event="issues") == "al opened issue #1: one"


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://a b", "https://x/" + "y" * 5000, 7, None, "https://x\u202e"]
)
def test_only_a_link_of_the_web_is_told(link: Any) -> None:
    body = {"action": "opened", "issue": {"number": 1, "title": "t", "html_url": link}}
    assert read(body, x_github_event="issues") == "somebody opened issue #1: t"


@pytest.mark.parametrize("character", ["x", "é", "\N{GRINNING FACE}", "e\N{COMBINING ACUTE ACCENT}"])
def test_a_long_text_is_cut_between_two_characters_and_says_so(character: str) -> None:
    said = read((character * 300_000).encode())
    assert said is not None
    kept = said.removesuffix(value.CUT)
    assert kept != said
    assert kept == character * (len(kept) // len(character))
    assert LIMIT - 8 <= len(said.encode()) <= LIMIT


def test_many_commits_and_alerts_are_counted() -> None:
    commits = [{"id": "a" * 40, "message": "m" * 10_000}] * 5_000
    said = read({"ref": "refs/heads/main", "commits": commits}, x_github_event="push")
    assert said is not None
    assert said.startswith("somebody pushed 1,000 commits to main\n- aaaaaaa mmm")
    assert len(said) < 1_500


def test_the_slack_of_a_stranger_does_not_nest_without_an_end() -> None:
    element: dict[str, Any] = {"type": "text", "text": "deep"}
    for depth in range(50):
        element = {"type": "rich_text_section", "elements": [{"type": "text", "text": str(depth % 10)}, element]}
    said = read({"blocks": [{"type": "rich_text", "elements": [element]}]})
    assert said == "98765"


def test_markup_without_an_end_costs_no_time() -> None:
    text = "*" * 20_000 + "<" * 20_000 + "*a " * 10_000 + "~a " * 10_000 + "<https://" * 5_000
    assert slack.mrkdwn(text).startswith("***")


def keys_of(body: Any) -> set[str]:
    """Return all names in a published payload, so that random objects reach what the functions ask for."""
    if isinstance(body, list):
        return set().union(*map(keys_of, body))
    return set(body).union(*map(keys_of, body.values())) if isinstance(body, dict) else set()


KEYS = sorted(set().union(*(keys_of(case.values[0]["body"]) for case in PUBLISHED)))  # type: ignore[index]
VALUES = ("completed", "opened", "created", "closed", "failure", "rich_text", "section", "refs/tags/", "0" * 40)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.sampled_from(VALUES)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner),
    max_leaves=40,
)
EVENTS = (*github.EVENTS, *gitlab.EVENTS, *monitors.SENTRY, "pull_request_approved", "odd")
HEADERS = ("x-github-event", "x-gitea-event", "x-gitlab-event", "sentry-hook-resource", "content-type")


def assert_bounded(kind: str, headers: dict[str, str], body: bytes, limit: int) -> None:
    try:
        said = payloads.read(kind, headers, body, limit)
    except payloads.UnreadableError as refusal:
        said = str(refusal)
    assert said is None or said.strip()
    assert said is None or len(said.encode()) <= max(limit, 200)


@settings(max_examples=100)
@given(
    kind=st.sampled_from(payloads.KINDS),
    headers=st.dictionaries(st.sampled_from(HEADERS), st.sampled_from(EVENTS) | st.text(max_size=9), max_size=2),
    body=st.dictionaries(st.sampled_from(KEYS), trees, max_size=12) | trees,
    limit=st.sampled_from((64, LIMIT)),
)
def test_random_json_gives_a_bounded_text_or_a_refusal(
    kind: str, headers: dict[str, str], body: Any, limit: int
) -> None:
    assert_bounded(kind, headers, json.dumps(body).encode(), limit)


@settings(max_examples=100)
@given(kind=st.sampled_from(payloads.KINDS), body=st.binary(max_size=200), form=st.booleans())
def test_random_bytes_give_a_bounded_text_or_a_refusal(kind: str, body: bytes, form: bool) -> None:
    headers = {"content-type": payloads.FORM if form else "text/plain"}
    assert_bounded(kind, headers, b"payload=" + body if form else body, LIMIT)
