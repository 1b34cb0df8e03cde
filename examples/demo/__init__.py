"""`make demo`: runs the main job for real, on a local cluster or on the user's."""

from __future__ import annotations

ACCESS_KEY = "featx-demo"
SECRET_KEY = "made-up-for-the-demos-own-store"  # noqa: S105 - the store exists only in the demo's cluster
