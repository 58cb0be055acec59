"""A comparison as Markdown: the summary, the goals, and a table for each workload.

Nothing is left out. A peer that cannot do a workload, a run that failed and a result that is void keep their row, with
a sentence where the figures would be; a reader sees what was not measured as well as what was.
"""

from collections.abc import Iterable, Iterator, Sequence

from report import OTHERS

from page.goals import MET, OWN, UNKNOWN, Verdict, judge
from page.measured import CANNOT, MEASURED, Measured, Result
from page.shown import GROWTH, WORKLOADS, Figure, Growth, Workload, number

COMMON = (Figure("server_cpu", "server", "cores"), Figure("load_cpu", "load", "cores"), Figure("rss_mib", "RSS", "MiB"))
LIMITS = {"server": "server", "load": "load generator", "machine": "the machine"}

LEGEND = """\
`no`: the peer cannot do this; the workload's table says why. `void`: a receiver missed a message, so the figures do not
count. `failed`: the run did not come to its end. `–`: not measured. M is a million. CPU is user and system time of the
server, as the operating system counts it. *Nearer its limit* is the side that held the rate back: where it is not the
server, the rate is a lower bound for it, and the CPU is what to compare.
"""


def markdown(measured: Measured) -> str:
    """Return the whole page."""
    grown = [(g, max(sizes)) for g in GROWTH if (sizes := _sizes(g, measured.series(g.axis)))]
    shown = [w for w in WORKLOADS if measured.of(w.key)]
    parts = ["# Side by side\n", *_machine(measured), LEGEND, "## Summary\n"]
    parts.append(_summary(measured, [w for w in shown if not w.encrypted], grown))
    if covered := [w for w in shown if w.encrypted]:
        parts += ["## Summary, encrypted\n", _summary(measured, covered, [])]
    parts += ["## Goals\n", _goals(judge(measured))]
    for workload in WORKLOADS:
        if results := measured.of(workload.key):
            parts += [f"## {workload.title}\n", f"{workload.what}\n", _workload(workload, results)]
            if not workload.beside and any(r.state == MEASURED for r in results):
                parts.append(_chart(workload.title, workload.key))
    for growth in GROWTH:
        if results := measured.series(growth.axis):
            parts += [f"## {growth.title}\n", f"{growth.what}\n", *_growth(growth, results)]
    return "\n".join(parts)


def _machine(measured: Measured) -> Iterator[str]:
    """Yield where and when this was measured; more than one machine spoils every ratio."""
    machines = list(dict.fromkeys(r.machine for r in measured.all if r.machine))
    dates = sorted(r.at[:10] for r in measured.all if r.at)
    ours = next((r for r in measured.all if r.machine), None)
    if ours is None:
        return
    facts = [machines[0], f"Python {ours.python}", f"libzmq {ours.libzmq}", f"zchat {ours.zchat}"]
    fsync = sorted(r.fsync_ms for r in measured.all if r.fsync_ms)
    facts += [f"fsync {number(fsync[len(fsync) // 2])} ms"] if fsync else []
    when = f", {dates[0]}" + (f" to {dates[-1]}" if dates[-1] != dates[0] else "") if dates else ""
    yield f"Servers and load on one machine: {'; '.join(facts)}{when}.\n"
    if len(machines) > 1:
        yield f"**Measured on {len(machines)} machines ({'; '.join(machines)}): ratios between them mean nothing.**\n"


def _summary(measured: Measured, shown: Sequence[Workload], grown: Sequence[tuple[Growth, int]]) -> str:
    """Return one headline figure for each workload and peer that has any."""
    heads = [f"{w.title.lower()}<br>{_unit(w.figures[0])}" for w in shown]
    heads += [f"{g.size(size)}<br>{_unit(g.figures[0])}" for g, size in grown]
    rows = []
    had = {r.peer for w in shown for r in measured.of(w.key)}
    had |= {r.peer for g, _ in grown for r in measured.series(g.axis)}
    for peer in (each for each in measured.peers if each in had):
        cells = [_headline(measured.one(peer, w.key), w.figures[0]) for w in shown]
        cells += [_headline(_at(g, measured.series(g.axis), peer, size), g.figures[0]) for g, size in grown]
        rows.append(_row(peer, [measured.name(peer), *cells]))
    return _table(["peer", *heads], rows)


def _unit(figure: Figure) -> str:
    return f"{figure.unit} {figure.heading.removeprefix('server ')}" if figure.unit else figure.heading


def _headline(result: Result | None, figure: Figure) -> str:
    if result is None:
        return "–"
    if result.state == CANNOT:
        return "no"
    return figure.text(result) if result.state == MEASURED else result.state


def _goals(verdicts: Iterable[Verdict]) -> str:
    rows = []
    for verdict in verdicts:
        goal, ratio = verdict.goal, verdict.ratio
        word = verdict.word if verdict.word in {MET, UNKNOWN} else f"**{verdict.word}**"
        value = number(ratio.value) if ratio else "–"
        working = ratio.working if ratio else verdict.why
        rows.append([goal.sentence, working, value, f"{goal.sign} {goal.bound:g}", word])
    return _table(["zchat's goal", "measured", "ratio", "goal", "verdict"], rows)


def _workload(workload: Workload, results: Sequence[Result]) -> str:
    figures = [f for f in workload.figures if any(f.of(r) is not None for r in results) or f is workload.figures[0]]
    common = [f for f in COMMON if f.field not in {used.field for used in figures}]
    rows = []
    for result in results:
        values = [figure.text(result) for figure in figures]
        if result.state != MEASURED:
            values[0] = _headline(result, figures[0])
        beside = [LIMITS.get(result.limit or "", "–") if result.state == MEASURED else "–"]
        beside += [figure.text(result) for figure in common]
        rows.append(_row(result.peer, [result.name, *values, *beside, _notes(result)]))
    heads = [f.label for f in figures] + ["nearer its limit"] + [f.label for f in common]
    return _table(["peer", *heads, "notes"], rows)


def _growth(growth: Growth, results: Sequence[Result]) -> Iterator[str]:
    """Yield a table for each figure that was measured: peers by sizes."""
    sizes = _sizes(growth, results)
    peers = {r.peer: r for r in reversed(results)}
    for figure in growth.figures:
        if figure is not growth.figures[0] and all(figure.of(r) is None for r in results):
            continue
        rows = []
        for peer, any_result in reversed(peers.items()):
            cells = [_headline(_at(growth, results, peer, size), figure) for size in sizes]
            notes = "; ".join(
                dict.fromkeys(filter(None, (_growth_notes(growth, r) for r in results if r.peer == peer)))
            )
            rows.append(_row(peer, [any_result.name, *cells, notes]))
        yield f"{figure.label[0].upper()}{figure.label[1:]}:\n"
        yield _table(["peer", *(growth.size(size) for size in sizes), "notes"], rows)
        if any(figure.of(r) for r in results):
            yield _chart(growth.title, growth.chart(figure))


def _chart(title: str, name: str) -> str:
    return f"![{title}](charts/{name}.svg)\n"


def _growth_notes(growth: Growth, result: Result) -> str:
    """Return the notes of one size; what is wrong at one says which."""
    size, notes = getattr(result, growth.axis), _notes(result)
    return f"{growth.size(size)}: {notes}" if notes and size is not None and result.state != MEASURED else notes


def _sizes(growth: Growth, results: Iterable[Result]) -> list[int]:
    return sorted({size for r in results if (size := getattr(r, growth.axis)) is not None})


def _at(growth: Growth, results: Iterable[Result], peer: str, size: int) -> Result | None:
    """Return a peer's result at a size; or the one that says of all sizes that it cannot."""
    return next((r for r in results if r.peer == peer and getattr(r, growth.axis) in {size, None}), None)


def _notes(result: Result) -> str:
    """Return in words what is behind a row, or in place of its figures."""
    notes = [result.why]
    if result.state == MEASURED:
        notes += [result.limits or "", result.cipher or ""]
        if (others := result.others_cpu or 0) > OTHERS:
            notes.append(f"other programs used {others:.2f} cores, so rates are too low")
    return "; ".join(filter(None, notes))


def _row(peer: str, cells: Sequence[str]) -> list[str]:
    """Return a row; zchat's stands out."""
    return [f"**{cell}**" if cell and peer in OWN else cell for cell in cells]


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; what is to the right of the first column is a figure, if it starts with one."""
    kept = [[" ".join(cell.split()).replace("|", "\\|") for cell in row] for row in rows]
    rule = ["---:" if any(_numeric(row[column]) for row in kept) else "---" for column in range(len(heads))]
    lines = [heads, rule, *kept]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _numeric(cell: str) -> bool:
    return cell.strip("*").replace(",", "").replace(".", "").removesuffix(" M").isdigit()
