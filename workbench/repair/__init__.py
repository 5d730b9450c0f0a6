"""auditwheel: libraries grafted or excluded, the platform tag earned."""

from __future__ import annotations
