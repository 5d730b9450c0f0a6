"""Where published files lie: in a folder, or in a bucket."""

from __future__ import annotations
