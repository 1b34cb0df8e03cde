"""Names that the end-to-end tests share; the store's credentials are invented and live as long as its pod."""

from __future__ import annotations

NAMESPACE = "featx-e2e"
ACCESS_KEY = "featx-e2e"
SECRET_KEY = "only-for-tests-of-this-machine"
STORE_SECRET = "catalog-store"
ENDPOINT = "http://s3.store.svc:8333"
