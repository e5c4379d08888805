"""CI systems: how each tells a step what to do, and how it wants to be told what was done."""
