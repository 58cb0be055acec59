"""What the IRC gateway decides: lines, names, capabilities, registration, how events are told. No sockets, no clock."""
