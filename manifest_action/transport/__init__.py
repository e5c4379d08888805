"""Places that images live in. Each transport of containers-transports(5) is one module or package here."""
