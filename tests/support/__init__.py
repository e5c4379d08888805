"""What tests are made of; import it as `tests.support.…`.

    servers       real registries on loopback, and ways to look into them (also as fixtures: see tests/conftest.py)
    tokens        the token server beside a registry
    recorder      a proxy that writes down requests, counts round trips, delays, answers and hangs up
    images        synthetic images and indexes, and how to push them or write them into a layout
    peers         programs that others wrote, which read what ours has written
    strategies    Hypothesis strategies for the product's values

Only `strategies` uses the product: what the others check is checked by other means.
"""
