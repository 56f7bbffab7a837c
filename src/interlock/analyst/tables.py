"""Tables of words, written as running text.

>>> sorted(words("read write"))
['read', 'write']
"""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """The words of a text, parted by blanks."""
    return frozenset(text.split())
