"""Changing an index where it is: what it lists and what it says, without its images moving (design section 4.3)."""
