"""Properties have no deadline: on a busy machine a pause says nothing about the code."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("featx", deadline=None)
settings.load_profile("featx")
