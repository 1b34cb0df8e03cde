"""Requests about ResourceQuotas and LimitRanges."""

from __future__ import annotations

import logging
from itertools import chain, islice

from featx_operator.cluster.transport import ApiError, ApiServer
from featx_operator.state.quotas import Limits, Quota, limits_from, quota_from

logger = logging.getLogger(__name__)

MOST = 64  # of each kind in a namespace; more would be a burden on every start of a run


def read(api: ApiServer, namespace: str) -> tuple[tuple[Quota, ...], tuple[Limits, ...]]:
    """The ResourceQuotas and LimitRanges of a namespace, as of now; none without the permission to list them.

    Raises:
        ApiError: They can't be listed for another reason.
    """
    path = f"/api/v1/namespaces/{namespace}"
    try:
        quotas = tuple(islice(api.items(f"{path}/resourcequotas", {}, quota_from), MOST))
        limits = tuple(chain.from_iterable(islice(api.items(f"{path}/limitranges", {}, limits_from), MOST)))
    except ApiError as error:
        if error.status not in (403, 404):
            raise
        logger.warning("%s: runs start without regard to quotas: %s", namespace, error)
        return (), ()
    return tuple(quota for quota in quotas if quota), limits
