"""What the server of forked processes asks once, for half a second each: which index pip is configured for."""

from __future__ import annotations

from workbench.environment import index_url

index_url()
