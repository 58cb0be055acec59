"""How what was said is known when it comes back."""

import pytest

from zchat.prompt.sending import Pending
from zchat.protocol import messages as m


def edited(target: int, text: str, seq: int = 9) -> m.Edited:
    time = "2026-11-22T05:30:00.000Z"
    return m.Edited(seq=seq, prev=1, room="dev", time=time, from_="0" * 16, nick="ann", target=target, text=text)


@pytest.mark.parametrize(
    ("event", "is_it"),
    [
        (edited(5, "better"), True),
        (edited(5, "better", seq=3), True),  # wherever it was said, and whatever was seen there
        (edited(5, "even better"), False),  # the edit after it, of the same message
        (edited(6, "better"), False),
    ],
)
def test_an_edit_is_known_by_its_message_and_its_text(event: m.Edited, is_it: bool) -> None:
    pending = Pending("/edit 5 better", "better", None, None, None, 8, m.Edited, 5)
    assert pending.is_stored_as(event) is is_it
    assert not Pending("/delete 5", None, None, None, None, 8, m.Deleted, 5).is_stored_as(event)
