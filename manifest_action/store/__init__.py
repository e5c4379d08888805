"""Saved lists: indexes under names that are edited step by step before they are pushed.

The public classes are `Store` and `SavedList`.
"""

from manifest_action.store.savedlist import SavedList
from manifest_action.store.store import Store

__all__ = ["SavedList", "Store"]
