"""`zchat web`, for which a push service on this machine is one of the Internet, and calls are told of soon.

Otherwise it is as it is: `python -m tests.gateways.web.page.pushing web OPTIONS…`. Whose certificates it trusts is a
matter of the environment (SSL_CERT_FILE).
"""

import functools
import sys

from zchat import cli
from zchat.gateways.web import push, serving, subscriptions, watching

SOON = 0.2  # seconds

vars(serving).update(
    Push=functools.partial(push.Push, allowed=lambda _: True),
    Subscriptions=functools.partial(subscriptions.Subscriptions, check=lambda _: None),
    Watching=functools.partial(watching.Watching, wait=SOON),
)

sys.exit(cli.run(sys.argv[1:]))
