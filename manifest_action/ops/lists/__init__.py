"""Working on saved lists: taking images in, changing what is recorded about them, pushing (design section 4.3)."""
