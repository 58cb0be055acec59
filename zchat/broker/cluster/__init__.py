"""A broker beside others: the engine that keeps their stream, and what drives a shared log by it."""
