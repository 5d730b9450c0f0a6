"""``index`` and ``serve``: the pages drawn again, and served for a try-out."""

from __future__ import annotations
