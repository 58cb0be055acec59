"""`zchat web` with little patience, for tests: who dawdles over a request is cut after a second."""

from zchat.__main__ import main
from zchat.gateways import connections
from zchat.gateways.web import entering

if __name__ == "__main__":
    connections.HEAD = connections.REST = entering.BODY_WAIT = 1.0
    main()
