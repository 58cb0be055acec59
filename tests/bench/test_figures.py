"""What becomes of the lines that a comparison wrote: which of them count, what is judged, and what the page says."""

import json
from pathlib import Path
from typing import Any

import pytest
from board import BenchError
from page import figures, goals, measured, shown
from page.goals import MET, MISSED, UNKNOWN
from page.measured import Measured

from tests.bench.results import line, read


def verdict(of: Measured, words: str) -> goals.Verdict:
    (found,) = [v for v in goals.judge(of) if words in v.goal.sentence]
    return found


def row(page: str, heading: str, start: str) -> list[str]:
    """Return the cells of the row under `heading` whose first cell starts with `start`."""
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    (found,) = [r for r in section.splitlines() if r.removeprefix("| ").startswith(start)]
    return [cell.strip() for cell in found.strip("|").split(" | ")]


@pytest.mark.parametrize(
    ("ours", "theirs", "words", "expected"),
    [
        (0.189, 0.19, "Redis pub/sub", MET),
        (0.19, 0.19, "Redis pub/sub", MISSED),
        (0.20, 0.40, "NATS's", MET),
        (0.201, 0.40, "NATS's", MISSED),
        (0.20, 0.40, "ngIRCd's", MET),
        (0.30, 0.40, "ngIRCd's", MISSED),
    ],
)
def test_fan_out_is_judged_by_the_ratio_of_cpu(
    tmp_path: Path, ours: float, theirs: float, words: str, expected: str
) -> None:
    peers = [line(peer, "fanout", cpu_us_per_delivery=theirs) for peer in ("redis", "nats", "ngircd")]
    found = verdict(read(tmp_path, line("zchat", "fanout", cpu_us_per_delivery=ours), *peers), words)
    assert found.word == expected
    assert found.ratio is not None
    assert found.ratio.value == pytest.approx(ours / theirs)


@pytest.mark.parametrize(("rate", "expected"), [(130_000, MET), (129_999, MISSED)])
def test_durable_ingest_is_judged_by_a_fixed_rate(tmp_path: Path, rate: int, expected: str) -> None:
    assert verdict(read(tmp_path, line("zchat", "durable", messages_per_s=rate)), "130,000").word == expected


def test_many_lines_a_frame_are_compared_with_the_faster_way_of_jetstream(tmp_path: Path) -> None:
    ours = line("zchat", "durable64", messages_per_s=240_000)
    one = line("jetstream", "durable", messages_per_s=220_000)
    assert verdict(read(tmp_path, ours, one), "JetStream").word == MET
    faster = line("jetstream", "durable64", messages_per_s=250_000)
    assert verdict(read(tmp_path, ours, one, faster), "JetStream").word == MISSED
    void = {**faster, "lost": 1}
    assert verdict(read(tmp_path, ours, one, void), "JetStream").word == MET


@pytest.mark.parametrize(("p50", "expected"), [(0.5, MET), (0.51, MISSED)])
def test_paced_may_be_slower_than_nats_by_one_fsync(tmp_path: Path, p50: float, expected: str) -> None:
    found = read(tmp_path, line("zchat", "paced", p50_ms=p50, fsync_ms=0.2), line("nats", "paced", p50_ms=0.3))
    assert verdict(found, "paced").word == expected


@pytest.mark.parametrize(("costs", "expected"), [((7.0, 9.0, 9.1), MET), ((7.0, 9.2, 7.0), MISSED)])
def test_the_dearest_size_of_the_log_decides_whether_the_cost_is_flat(
    tmp_path: Path, costs: tuple[float, ...], expected: str
) -> None:
    sizes = [
        line("zchat", "growth", log_messages=10 ** (4 + place), cpu_us_per_message=cost)
        for place, cost in enumerate(costs)
    ]
    assert verdict(read(tmp_path, *sizes), "size of the log").word == expected


def test_one_room_of_many_is_compared_with_a_lone_room_that_is_as_busy(tmp_path: Path) -> None:
    rooms = [line("zchat", "growth", rooms=n, cpu_us_per_message=cost) for n, cost in ((1, 5.0), (10, 4.0), (100, 6.0))]
    other = [line("zchat", "growth", cpu_us_per_message=90.0, **{size: 10}) for size in ("receivers", "log_messages")]
    found = verdict(read(tmp_path, *rooms, *other), "number of rooms")
    assert (found.word, found.ratio and found.ratio.value) == (MET, 1.2)


@pytest.mark.parametrize(
    "broken", [{"complete": False}, {"lost": 3}, {"repeated": 2}, {"error": "the server died"}, {"cannot": "it cannot"}]
)
@pytest.mark.parametrize("whose", ["zchat", "redis"])
def test_a_result_that_does_not_count_decides_no_goal(tmp_path: Path, broken: dict[str, Any], whose: str) -> None:
    lines = [line("zchat", "fanout", cpu_us_per_delivery=0.1), line("redis", "fanout", cpu_us_per_delivery=0.2)]
    assert verdict(read(tmp_path, *lines), "Redis").word == MET
    found = verdict(read(tmp_path, *({**each, **(broken if each["peer"] == whose else {})} for each in lines)), "Redis")
    assert found.word == UNKNOWN
    assert measured.NAMES[whose] in found.why


def test_a_void_log_size_leaves_the_goal_open(tmp_path: Path) -> None:
    sizes = [
        line("zchat", "growth", log_messages=size, cpu_us_per_message=7.0) for size in (10_000, 100_000, 1_000_000)
    ]
    sizes[2]["complete"] = False
    found = verdict(read(tmp_path, *sizes), "size of the log")
    assert (found.word, found.why) == (UNKNOWN, "zchat, growth at 1,000,000 messages: void")


def test_nothing_measured_leaves_all_goals_open(tmp_path: Path) -> None:
    nothing = read(tmp_path)
    assert {found.word for found in goals.judge(nothing)} == {UNKNOWN}
    assert "not measured" in figures.markdown(nothing)


def test_a_void_result_is_named_and_its_figures_are_not_shown(tmp_path: Path) -> None:
    void = line("inspircd", "fanout", complete=False, lost=1234, cpu_us_per_delivery=0.011, deliveries_per_s=9e9)
    page = figures.markdown(read(tmp_path, line("zchat", "fanout", cpu_us_per_delivery=0.2), void))
    assert row(page, "Fan-out", "InspIRCd")[1:] == ["void", "–", "–", "–", "–", "void: 1,234 were lost"]
    assert row(page, "Summary", "InspIRCd")[1] == "void"
    assert "0.011" not in page


def test_what_a_peer_cannot_do_is_said_in_its_words(tmp_path: Path) -> None:
    cannot = line("redis", "durable", complete=False, cannot="does not keep messages | at all")
    page = figures.markdown(read(tmp_path, line("zchat", "durable", messages_per_s=131_000.0), cannot))
    cells = row(page, "Durable ingest", "Redis pub/sub")
    assert (cells[1], cells[-1]) == ("no", "does not keep messages \\| at all")
    assert row(page, "Summary", "Redis pub/sub")[1] == "no"


def test_a_failed_run_shows_its_error(tmp_path: Path) -> None:
    page = figures.markdown(read(tmp_path, line("nats", "ingest", complete=False, error="nats-server ended with 1")))
    assert row(page, "Ingest", "NATS core")[-1] == "nats-server ended with 1"
    assert row(page, "Summary", "NATS core")[1] == "failed"


def test_the_row_of_zchat_stands_out_and_comes_first(tmp_path: Path) -> None:
    lines = [line(peer, "fanout", title=f"{peer} 1", cpu_us_per_delivery=0.2) for peer in ("nats", "zchat")]
    page = figures.markdown(read(tmp_path, *lines))
    assert row(page, "Summary", "**zchat 1**")[1] == "**0.200**"
    assert row(page, "Summary", "nats 1")[1] == "0.200"
    assert page.index("**zchat 1**") < page.index("nats 1")


def test_a_row_says_which_side_was_the_limit_and_what_disturbed_it(tmp_path: Path) -> None:
    one = line(
        "ngircd",
        "fanout",
        cpu_us_per_delivery=0.2,
        limit="load",
        load_cpu=1.1,
        rss_mib=9.0,
        others_cpu=0.5,
        limits="no",
    )
    cells = row(figures.markdown(read(tmp_path, one)), "Fan-out", "ngIRCd")
    assert cells[2:] == [
        "load generator",
        "–",
        "1.10",
        "9.00",
        "no; other programs used 0.50 cores, so rates are too low",
    ]


def test_growth_names_the_size_that_was_void(tmp_path: Path) -> None:
    sizes = [line("nats", "growth", receivers=n, cpu_us_per_delivery=0.5) for n in (10, 1000)]
    sizes[1]["complete"] = False
    without_log = line("nats", "growth", complete=False, cannot="keeps no log")
    with_log = line("zchat", "growth", log_messages=10_000, cpu_us_per_message=7.0)
    page = figures.markdown(read(tmp_path, *sizes, without_log, with_log))
    notes = "1,000 receivers: void: a receiver was not complete"
    assert row(page, "Growth with receivers", "NATS core")[1:] == ["0.500", "void", notes]
    assert row(page, "Growth with the log", "NATS core")[1:] == ["no", "keeps no log"]
    assert "Growth with rooms" not in page


def test_a_growth_that_failed_is_named_until_it_was_measured_again(tmp_path: Path) -> None:
    failed = line("nats", "growth", complete=False, error="out of descriptors")
    other = line("zchat", "growth", receivers=10, cpu_us_per_delivery=0.2)
    page = figures.markdown(read(tmp_path, other, failed))
    assert row(page, "Growth with receivers", "NATS core")[1:] == ["failed", "out of descriptors"]
    again = line("nats", "growth", receivers=10, cpu_us_per_delivery=0.5)
    page = figures.markdown(read(tmp_path, other, failed, again))
    assert row(page, "Growth with receivers", "NATS core")[1:] == ["0.500", ""]
    assert "out of descriptors" not in page


def test_a_peer_without_history_is_named_where_the_log_grows(tmp_path: Path) -> None:
    lines = (
        line("zchat", "growth", log_messages=10_000, cpu_us_per_message=7.0),
        line("redis", "growth", receivers=10, cpu_us_per_delivery=0.2),
        line("redis", "recovery", complete=False, cannot="keeps no history"),
    )
    page = figures.markdown(read(tmp_path, *lines))
    assert row(page, "Growth with the log", "Redis pub/sub")[1:] == ["no", "keeps no history"]
    assert page.index("**zchat", page.index("## Growth with the log")) < page.rindex("Redis pub/sub")


def test_the_last_line_of_a_peer_and_workload_counts(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        line("zchat", "fanout", complete=False),
        line("zchat", "growth", receivers=1, cpu_us_per_delivery=1.0),
        line("zchat", "growth", receivers=10, cpu_us_per_delivery=2.0),
        line("zchat", "fanout", receivers=100, cpu_us_per_delivery=0.2),
    )
    (fanout,) = found.of("fanout")
    assert (fanout.state, fanout.cpu_us_per_delivery) == (measured.MEASURED, 0.2)
    assert [r.receivers for r in found.series("receivers")] == [1, 10]


def test_half_a_last_line_is_left_out_and_a_broken_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "compare.jsonl"
    whole = json.dumps(line("zchat", "fanout"))
    path.write_text(f"{whole}\n{whole[:20]}")
    assert len(measured.read(path).all) == 1
    path.write_text(f"{whole}\n{whole[:20]}\n{whole}\n")
    with pytest.raises(BenchError, match="line 2"):
        measured.read(path)


def test_results_of_two_machines_carry_a_warning(tmp_path: Path) -> None:
    one, two = (line("zchat", work, machine=work) for work in ("fanout", "ingest"))
    assert "ratios between them mean nothing" in figures.markdown(read(tmp_path, one, two))
    assert "ratios between them" not in figures.markdown(read(tmp_path, one))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.1994, "0.199"),
        (1, "1.00"),
        (12.34, "12.3"),
        (104_321, "104,000"),
        (99.96, "100"),
        (0.0123, "0.012"),
        (999_499, "999,000"),
        (999_500, "1.00 M"),
        (5_180_000, "5.18 M"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert shown.number(value) == text


def test_what_is_encrypted_has_a_summary_of_its_own_and_names_its_cipher(tmp_path: Path) -> None:
    lines = (
        line("nats", "fanout", cpu_us_per_delivery=0.3),
        line("nats-tls", "fanout-encrypted", cpu_us_per_delivery=0.4, cipher="TLSv1.3 OF_SOME_KIND"),
        line("zchat-curve", "fanout-encrypted", cpu_us_per_delivery=0.2),
    )
    page = figures.markdown(read(tmp_path, *lines))
    open_one, covered = page.partition("## Summary, encrypted")[::2]
    assert "NATS core, TLS" not in open_one
    assert row(page, "Summary, encrypted", "NATS core, TLS")[1] == "0.400"
    assert row(page, "Summary, encrypted", "**zchat, CURVE**")[1] == "**0.200**"
    assert "| NATS core |" not in covered.partition("## Fan-out")[0]
    assert row(page, "Fan-out, encrypted", "NATS core, TLS")[-1] == "TLSv1.3 OF_SOME_KIND"
    assert "Summary, encrypted" not in figures.markdown(read(tmp_path, lines[0]))


@pytest.mark.parametrize(
    ("workload", "field", "ours", "expected"),
    [
        ("fanout64-encrypted", "cpu_us_per_delivery", 0.16, MET),
        ("fanout64-encrypted", "cpu_us_per_delivery", 0.161, MISSED),
        ("handshakes", "back_s", 0.3, MET),
        ("handshakes", "back_s", 0.31, MISSED),
    ],
)
def test_curve_is_judged_by_what_it_costs_beside_none(
    tmp_path: Path, workload: str, field: str, ours: float, expected: str
) -> None:
    lines = [line("zchat", workload, **{field: 0.1}), line("zchat-curve", workload, **{field: ours})]
    words = "64 at once: CPU" if workload.startswith("fanout") else "1,000 members"
    assert verdict(read(tmp_path, *lines), words).word == expected
    assert verdict(read(tmp_path, lines[0]), words).word == UNKNOWN
