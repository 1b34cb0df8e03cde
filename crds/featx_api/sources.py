"""Where pictures come from and where stores are reached: the `source` part of the spec."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from featx_api.model import ApiModel, Rule, rules

SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Endpoint = Annotated[str, Field(max_length=512, pattern=r"^https?://[A-Za-z0-9.\-\[\]:]+/?$")]
ObjectPath = Annotated[str, Field(max_length=1024)]


class SecretRef(ApiModel):
    """Names a Secret of the same namespace that holds a store's credentials.

    Keys: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and optionally AWS_SESSION_TOKEN. It is mounted as files; its values
    never stand in a pod, a ConfigMap or a log.
    """

    name: SecretName = Field(description="Name of the Secret.")


class StoreAccess(ApiModel):
    """How an S3-compatible store is reached."""

    endpoint: Endpoint | None = Field(None, description="URL of the store, such as http://s3.store.svc:8333.")
    region: str | None = Field(
        None, max_length=64, pattern=r"^[a-z0-9-]+$", description="Region, if the store asks for one."
    )
    secret_ref: SecretRef | None = Field(None, description="Credentials. Without it the store is read anonymously.")


class S3Source(StoreAccess):
    """Pictures that are objects of one bucket of an S3-compatible store."""

    bucket: str = Field(
        min_length=3, max_length=63, pattern=r"^[a-z0-9][a-z0-9.\-]*[a-z0-9]$", description="The bucket."
    )
    prefix: ObjectPath = Field("", description="Only keys that begin with this are read.")


class FilesSource(ApiModel):
    """Pictures that are files below one folder."""

    uri: str = Field(
        max_length=1024,
        pattern=r"^(file:///[^\s]*|package:[A-Za-z0-9._\-]+==[^/\s]+/[^\s]+)$",
        description="Folder of pictures: file:///path, or, for `featx run` only, "
        "package:NAME==VERSION/path inside a Python package.",
    )


class ClaimSource(ApiModel):
    """Pictures that are files of a PersistentVolumeClaim of the same namespace."""

    name: SecretName = Field(description="Name of the PersistentVolumeClaim.")
    path: ObjectPath = Field("", description="Folder inside the volume.")


class Source(ApiModel):
    """Exactly one place that pictures are read from."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            Rule(
                "(has(self.s3) ? 1 : 0) + (has(self.files) ? 1 : 0) + (has(self.claim) ? 1 : 0) == 1",
                "spec.source must hold exactly one of s3, files, claim",
            )
        )
    )

    s3: S3Source | None = Field(None, description="Objects of a bucket.")
    files: FilesSource | None = Field(None, description="Files below a folder.")
    claim: ClaimSource | None = Field(None, description="Files of a PersistentVolumeClaim.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(part is not None for part in (self.s3, self.files, self.claim)) != 1:
            raise ValueError("spec.source must hold exactly one of s3, files, claim")
        return self
