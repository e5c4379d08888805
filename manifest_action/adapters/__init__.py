"""The world outside: the command line, CI systems, YAML, the console."""
