"""A client of one broker: `session` decides, `driver` and `link` act, `client` is what a program uses."""
