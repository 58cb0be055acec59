"""One fuzzer on its way, led by what its inputs reach: `python -m tests.fuzz.guided wire|hub …libFuzzer's arguments`.

Atheris is libFuzzer for Python: it counts which branches of `zchat` an input takes and keeps those that take new ones.
It ends its process by itself, so this is a process of its own, started by `main.py`. Half of the moves are ours, which
keep the form of a command, half are libFuzzer's, which know nothing. A failure leaves the input that libFuzzer writes,
and in `world/` all the stories that its world had been told.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["zchat.protocol", "zchat.broker"]):
    from tests.fuzz import hub, inputs, wire

Mutate = Callable[[Random, bytes, bytes], bytes]


def main() -> None:
    kind, found, *arguments = sys.argv[1:]
    make, mutate = (inputs.frame, inputs.mutate_frame) if kind == "wire" else (inputs.story, inputs.mutate_story)
    worlds = [] if kind == "wire" else [hub.Target(rate) for rate in (0.0, 0.0, 5.0)]

    def check(data: bytes) -> None:
        if not worlds:
            wire.check(data)
            return
        target = worlds[sum(data) % len(worlds)]
        try:
            target.check(data)
        except BaseException:
            keep(target.told, Path(found).parent / "world")
            raise

    def change(data: bytes, most: int, seed: int) -> bytes:
        rng = Random(seed)
        if rng.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        other = make(rng) if rng.random() < 0.5 else b""
        changed = data
        for _ in range(rng.choice((1, 1, 2, 4))):
            changed = mutate(rng, changed, other)
        return changed[:most]

    atheris.Setup(["fuzz", found, *arguments], check, custom_mutator=change)
    atheris.Fuzz()


def keep(stories: list[bytes], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for number, story in enumerate(stories):
        (folder / f"{number:04}").write_bytes(story)


if __name__ == "__main__":
    main()
