"""Where published files lie.

``protocol`` is what every store promises, ``layout`` the keys, ``folder`` and ``s3`` a store each, and
``opening`` picks the one that the site's settings name.
"""

from __future__ import annotations
