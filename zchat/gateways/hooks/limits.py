"""How often one may post: to each hook, from each address, and from each address that guesses.

Guessing an address is hopeless (192 bits), so this is about floods: of a hook, by a sender gone wild; of the gateway,
by a stranger.
"""

from typing import NamedTuple

from zchat.gateways.rates import Rate


class Bounds(NamedTuple):
    """All bounds of a gateway."""

    hook: Rate = Rate(120, 10)  # a push to a monorepo is a dozen events within a second
    address: Rate = Rate(600, 50)  # GitHub posts for all of a team from few addresses, and so does a proxy
    guess: Rate = Rate(20, 1)


BOUNDS = Bounds()
