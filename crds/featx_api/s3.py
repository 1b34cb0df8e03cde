"""How S3-compatible stores are reached, and the bucket that images are read from."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, field_validator, model_validator

from featx_api.model import ApiModel, Rule, rules
from featx_api.names import InventoryUri, KeyPrefix, ObjectName

ONE_IDENTITY = "secretRef and podIdentity exclude each other: set one of them"
KEY_ENCRYPTED = "sseCustomerKey requires secretRef, and https if endpoint is set: the key is sent with each request"
OWN_HEADERS = (
    "headers takes only names that begin with x-amz-, in lower case, without those of signatures, copies and keys: use "
    "requesterPays, sseCustomerKey or secretRef for these"
)
_HEADER = "x-amz-[a-z0-9-]{1,64}"
_OWN_STARTS = ("x-amz-copy-source", "x-amz-server-side-encryption")
_OWN_NAMES = (
    *("x-amz-algorithm", "x-amz-content-sha256", "x-amz-credential", "x-amz-date", "x-amz-expires"),
    *("x-amz-request-payer", "x-amz-security-token", "x-amz-signature", "x-amz-signedheaders"),
)
_ALLOWED_HEADERS = " && ".join(
    (
        "name.startsWith('x-amz-')",
        f"!(name in {list(_OWN_NAMES)})",
        *(f"!name.startsWith('{it}')" for it in _OWN_STARTS),
    )
)

Endpoint = Annotated[str, Field(max_length=512, pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+/?$")]
# No `$`: Hadoop would put variables of the executor, or of the user's shell, in place of ${env.NAME}.
HeaderValue = Annotated[str, Field(max_length=256, pattern=r"^[!-#%-~]([ -#%-~]*[!-#%-~])?$")]
_PARTITION, _REGION, _ACCOUNT = "aws(-[a-z]+)*", "[a-z0-9-]+", "[0-9]{12}"
_ACCESS_POINT = f"arn:({_PARTITION}):s3:({_REGION}):({_ACCOUNT}):accesspoint[/:]([a-z0-9]([a-z0-9-]{{1,48}})[a-z0-9])"
_BUCKET = r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]"


class SecretRef(ApiModel):
    """A Secret in the same namespace that holds the credentials of a store.

    Keys: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; optionally AWS_SESSION_TOKEN, SSE_CUSTOMER_KEY for
    sseCustomerKey, and ca.crt, a CA bundle used to verify the store's certificate. The Secret is mounted as files. Its
    values never appear in a pod, a ConfigMap or a log.
    """

    name: ObjectName = Field(description="Name of the Secret.")


class StoreAccess(ApiModel):
    """How to reach an S3-compatible store."""

    model_config = ConfigDict(json_schema_extra=rules(Rule("!has(self.secretRef) || !self.podIdentity", ONE_IDENTITY)))

    endpoint: Endpoint | None = Field(
        None, description="Endpoint URL, such as http://s3.store.svc:8333. Defaults to AWS."
    )
    region: str | None = Field(
        None, max_length=64, pattern=r"^[a-z0-9-]+$", description="Region, if the store requires one."
    )
    secret_ref: SecretRef | None = Field(
        None, description="Secret with the credentials. Without it access is anonymous."
    )
    pod_identity: StrictBool = Field(
        False,
        description="Authenticate with the pods' cloud identity (IRSA or node role) instead of a Secret; with `featx "
        "run`, with the AWS_* environment variables.",
    )
    requester_pays: StrictBool = Field(
        False, description="Pay for requests to buckets whose owner has them paid by the requester."
    )
    addressing: Literal["path", "virtualHost"] = Field(
        "path",
        description="Where requests name the bucket: path for https://ENDPOINT/BUCKET/KEY, virtualHost for "
        "https://BUCKET.ENDPOINT/KEY.",
    )

    @model_validator(mode="after")
    def _one_identity(self) -> Self:
        if self.secret_ref and self.pod_identity:
            raise ValueError(ONE_IDENTITY)
        return self


class S3Source(StoreAccess):
    """Images stored as objects in one bucket of an S3-compatible store."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule("!has(self.secretRef) || !self.podIdentity", ONE_IDENTITY),
            Rule(
                "!self.sseCustomerKey || (has(self.secretRef) && (!has(self.endpoint) || "
                "self.endpoint.startsWith('https:')))",
                KEY_ENCRYPTED,
            ),
        )
    )

    bucket: str = Field(
        min_length=3,
        max_length=255,
        pattern=f"^({_BUCKET}|{_ACCESS_POINT})$",
        description="Name of the bucket, or the ARN or alias of an access point.",
    )
    prefix: KeyPrefix = Field("", description="Read only objects whose key begins with this.")
    inventory: InventoryUri | None = Field(
        None,
        description="S3 Inventory to take the objects from instead of listing the bucket: its manifest.json, or the "
        "folder of its dated inventories, of which the newest complete one counts. CSV, ORC or Parquet. It is reached "
        "with the same endpoint and credentials, and may be in another bucket. Objects that came later are not read.",
    )
    headers: dict[str, HeaderValue] = Field(
        default={},
        max_length=16,
        description="More x-amz-* headers that the store requires in requests for images, such as "
        "x-amz-expected-bucket-owner. They are no place for secrets.",
        json_schema_extra=rules(Rule(f"self.all(name, {_ALLOWED_HEADERS})", OWN_HEADERS)),
    )
    sse_customer_key: StrictBool = Field(
        False,
        description="The images are encrypted with a key that the store does not have (SSE-C). The Secret holds it as "
        "SSE_CUSTOMER_KEY: 32 bytes in base64. All images that are read must be encrypted with it.",
    )

    @field_validator("headers")
    @classmethod
    def _headers_are_allowed(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if not re.fullmatch(_HEADER, name) or name in _OWN_NAMES or name.startswith(_OWN_STARTS):
                raise ValueError(OWN_HEADERS)
        return headers

    @model_validator(mode="after")
    def _key_is_encrypted(self) -> Self:
        if self.sse_customer_key and (not self.secret_ref or (self.endpoint or "https:").startswith("http:")):
            raise ValueError(KEY_ENCRYPTED)
        return self

    def resolved(self) -> S3Source:
        """The source with an access point's host in place of its ARN: requests name it as they name a bucket."""
        match = re.fullmatch(_ACCESS_POINT, self.bucket)
        if match is None:
            return self
        partition, region, account, name = match[1], match[3], match[4], match[5]
        domain = "amazonaws.com.cn" if partition == "aws-cn" else "amazonaws.com"
        endpoint = self.endpoint or f"https://s3-accesspoint.{region}.{domain}"
        changes = {"bucket": f"{name}-{account}", "endpoint": endpoint, "region": region, "addressing": "virtualHost"}
        return self.model_copy(update=changes)
