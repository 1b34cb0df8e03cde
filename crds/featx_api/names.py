r"""Names, addresses and sizes in the resource.

Whatever these types accept, Kubernetes accepts in the pods and ConfigMaps that the operator creates. Otherwise a run
would be accepted and then never start. tests/unit/operator/test_accepted_specs.py holds the two together.

Patterns are read by Rust (pydantic) and Go (the API server); both know `\x{...}`, and neither knows look-around.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from featx_api.model import Rule, rules

PARENT: Final = "a path must not contain `..` between slashes: write it without"

# Neither control characters, which terminals interpret, nor those that change the direction of text.
_CONTROL: Final = r"\x00-\x1f\x7f-\x9f\x{2028}-\x{202e}\x{2066}-\x{2069}"
_TEXT: Final = rf"[^{_CONTROL}]"
# Of a path, which may hold blanks but not end with one: nobody would see it.
_PATH: Final = rf"{_TEXT}*[^{_CONTROL} \xa0]"
_LABEL: Final = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
# In an address, the limit of 253 characters must be part of the pattern: three labels have 191 at most.
_CLAIM: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?){0,2}"
_BUCKET: Final = r"[a-z0-9]([a-z0-9.\-]{0,61}[a-z0-9])?"
_LIST: Final = rf"{_TEXT}*\.(parquet|(csv|txt|jsonl)(\.(gz|zst))?)"
_HDFS: Final = rf"hdfs://[A-Za-z0-9.\-_:]+/{_PATH}"
_PACKAGE: Final = rf"package:[A-Za-z0-9][A-Za-z0-9._\-]*==[A-Za-z0-9._+!\-]+/{_PATH}"
_HOST_PART: Final = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_IMAGE_PART: Final = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*"


def _glob(refused: str) -> str:
    """The pattern of a glob in which each `[` begins a set that ends in the same name, or the same choice.

    Args:
        refused: Characters that it must not contain, besides stray braces.
    """
    letter = f"[^{refused}{{}}\\[]"
    outside, inside = (
        rf"({letter}|\[(![^{refused}{{}}/{comma}]|[^{refused}{{}}/!{comma}])[^{refused}{{}}/\]{comma}]*\])*"
        for comma in ("", ",")
    )
    return rf"^{outside}(\{{{inside}\}}{outside})?$"


def _without_parents(path: str) -> str:
    if re.search(r"(^|/)\.\.(/|\Z)", path):
        raise ValueError(PARENT)
    return path


_NO_PARENTS: Final = rules(Rule(r"!self.matches('(^|/)[.][.](/|$)')", PARENT))


def _address(*forms: str) -> Any:
    """The limits of a string that is an address in one of these forms."""
    return Field(max_length=1024, pattern=f"^({'|'.join(forms)})$", json_schema_extra=_NO_PARENTS)


#: A DNS subdomain, as most objects of Kubernetes are named.
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=rf"^{_LABEL}(\.{_LABEL})*$")]
#: Text that is shown to people, on one line.
Line = Annotated[str, Field(min_length=1, max_length=64, pattern=rf"^{_TEXT}+$")]
#: A licence as SPDX writes it: Apache-2.0, or "MIT OR BSD-3-Clause".
Licence = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z0-9.+()\-]+( [A-Za-z0-9.+()\-]+)*$")]
#: The value of a label.
LabelValue = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$")]
#: A controller, as `spec.managedBy` of a Job names it: a domain and a path.
ControllerName = Annotated[
    str,
    Field(min_length=3, max_length=63, pattern=rf"^{_LABEL}(\.{_LABEL})*/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$"),
]
#: An image as the container runtime reads it: registry, path, tag, digest.
ImageName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=512,
        pattern=rf"^({_HOST_PART}(\.{_HOST_PART})*(:[0-9]{{1,5}})?/)?{_IMAGE_PART}(/{_IMAGE_PART})*"
        r"(:[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127})?(@sha256:[0-9a-f]{64})?$",
    ),
]
#: From 64Mi, below which no driver starts, to less than 1Ti.
Memory = Annotated[
    str, Field(min_length=3, max_length=8, pattern=r"^((6[4-9]|[7-9][0-9]|[1-9][0-9]{2,5})Mi|[1-9][0-9]{0,2}Gi)$")
]
#: A number of CPUs, such as 2 or 500m.
Cpu = Annotated[
    str,
    Field(max_length=8, pattern=r"^([1-9][0-9]{0,2}([.][0-9]{1,3})?|0[.]0{0,2}[1-9][0-9]{0,2}|[1-9][0-9]{0,5}m)$"),
]
#: A colour, such as #ffffff for white.
Colour = Annotated[str, Field(min_length=7, max_length=7, pattern=r"^#[0-9A-Fa-f]{6}$")]
Principal = Annotated[
    str,
    Field(min_length=1, max_length=256, pattern=r"^[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)?@[A-Za-z0-9_.\-]+$"),
]

#: The beginning of an S3 key.
KeyPrefix = Annotated[str, Field(max_length=1024, pattern=f"^{_TEXT}*$")]
#: The key of an image: 1,024 bytes, which take up to four characters each (`featx_job.source.keys`).
MOST_KEY_LETTERS: Final = 4096
ImageKey = Annotated[str, Field(min_length=1, max_length=MOST_KEY_LETTERS, pattern=r"^[^\x00-\x1f\x7f]+$")]
#: A glob with one `{...}` at most: several could stand for any number of globs.
Glob = Annotated[str, Field(min_length=1, max_length=256, pattern=_glob(_CONTROL))]
#: A glob of members' names, in which a backslash would hide what is after it.
MemberGlob = Annotated[str, Field(min_length=1, max_length=256, pattern=_glob(rf"{_CONTROL}\\"))]
#: A folder inside a volume.
VolumePath = Annotated[
    str,
    Field(max_length=1024, pattern=f"^{_TEXT}*$", json_schema_extra=_NO_PARENTS),
    AfterValidator(_without_parents),
]
TableUri = Annotated[
    str,
    _address(f"s3://{_BUCKET}/{_PATH}", f"file:///{_PATH}", f"claim://{_CLAIM}/{_PATH}", _HDFS),
    AfterValidator(_without_parents),
]
FolderUri = Annotated[
    str,
    _address(f"file:///({_PATH})?", f"claim://{_CLAIM}/({_PATH})?", _HDFS, _PACKAGE),
    AfterValidator(_without_parents),
]
ModelUri = Annotated[
    str,
    _address(f"s3://{_BUCKET}/{_TEXT}+", f"file:///{_TEXT}+", f"claim://{_CLAIM}/{_TEXT}+", _PACKAGE),
    AfterValidator(_without_parents),
]
#: A host that images may be fetched from (dev.featx.security.UrlHosts): `*`, `*.DOMAIN`, or a name or IP address, with
#: a port unless it is 80 or 443.
UrlHost = Annotated[
    str,
    Field(
        min_length=1,
        max_length=262,
        pattern=r"^(\*|(\*\.)?[a-z0-9_]([a-z0-9_.\-]*[a-z0-9_])?|([a-z0-9_]([a-z0-9_.\-]*[a-z0-9_])?|\[[0-9a-f:.]+\])"
        r"(:[1-9][0-9]{0,4})?)$",
    ),
]
#: A manifest.json of an S3 Inventory, or the folder of its dated inventories.
InventoryUri = Annotated[str, _address(f"s3://{_BUCKET}/{_PATH}"), AfterValidator(_without_parents)]
#: A file with keys, whose ending is its format.
ListUri = Annotated[
    str,
    _address(
        f"s3://{_BUCKET}/{_LIST}", f"file:///{_LIST}", f"claim://{_CLAIM}/{_LIST}", rf"hdfs://[A-Za-z0-9.\-_:]+/{_LIST}"
    ),
    AfterValidator(_without_parents),
]
HBaseFolder = Annotated[str, _address(_HDFS, f"file:///{_PATH}"), AfterValidator(_without_parents)]


def claim_of(uri: str) -> str | None:
    """The PersistentVolumeClaim of a claim:// address; None for other addresses."""
    return uri.removeprefix("claim://").split("/", 1)[0] if uri.startswith("claim://") else None
