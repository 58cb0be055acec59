"""SASL, as far as IRC has it: AUTHENTICATE in pieces of 400 characters of base64, PLAIN and EXTERNAL."""

import base64
import binascii
from dataclasses import dataclass, field

PIECE = 400
LONGEST = 4_096  # characters of an answer: a name and a password are short


class SaslError(Exception):
    """The attempt is over: `numeric` tells how."""

    def __init__(self, numeric: str) -> None:
        self.numeric = numeric
        super().__init__(numeric)


@dataclass(frozen=True)
class Proof:
    """What a client gives: a password with the name it calls itself, or (without one) its certificate."""

    name: str
    password: str | None


@dataclass
class Sasl:
    """One client's way through it."""

    mechanisms: tuple[str, ...] = ("PLAIN",)
    mechanism: str = ""
    _answer: list[str] = field(default_factory=list)

    def receive(self, word: str) -> Proof | None:
        """Take the parameter of AUTHENTICATE; return the proof once it is whole. Raises SaslError.

        None means that the client goes on; where `mechanism` was just chosen, it waits for a `+`.
        """
        if word == "*":
            self.reset()
            raise SaslError("906")
        if not self.mechanism:
            if word.upper() not in self.mechanisms:
                raise SaslError("908")
            self.mechanism = word.upper()
            return None
        if len(word) > PIECE:
            self.reset()
            raise SaslError("905")
        if word != "+":
            self._answer.append(word)
        if sum(map(len, self._answer)) > LONGEST:
            self.reset()
            raise SaslError("905")
        return None if len(word) == PIECE else self._proof()

    @property
    def is_fresh(self) -> bool:
        """Whether nothing of the answer is here yet."""
        return not self._answer

    def reset(self) -> None:
        """Begin anew."""
        self.mechanism, self._answer = "", []

    def _proof(self) -> Proof:
        mechanism, answer = self.mechanism, "".join(self._answer)
        self.reset()
        try:
            text = base64.b64decode(answer, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise SaslError("904") from None
        if mechanism == "EXTERNAL":
            return Proof(text, None)
        parts = text.split("\0")
        if len(parts) != 3 or not parts[2]:
            raise SaslError("904")
        return Proof(parts[1] or parts[0], parts[2])
