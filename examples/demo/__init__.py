"""`make demo`: the main job, for real, on a cluster of one's own or on the user's."""

from __future__ import annotations

ACCESS_KEY = "featx-demo"
SECRET_KEY = "made-up-for-the-demos-own-store"  # noqa: S105 - the store lives and dies with the demo's cluster
