r"""Files that are never images: one list for the driver, which lists sources, and executors, which open archives.

Names that begin with a dot are hidden too. Case does not matter. Names are written as in keys, with `\xNN` for control
characters.
"""

from __future__ import annotations

from typing import Final

#: What operating systems, NAS devices, Hadoop, Spark and Featx leave beside images.
SYSTEM_NAMES: Final = (
    *("Thumbs.db", "ehthumbs.db", "desktop.ini", "$RECYCLE.BIN", "System Volume Information", "lost+found"),
    *("Icon\\x0D", "__MACOSX", "@eaDir", "#recycle"),
    *("_SUCCESS", "_temporary", "_metadata", "_common_metadata", "_spark_metadata", "_delta_log", "_featx"),
)
#: Starts of the names of marks that Databricks leaves.
SYSTEM_STARTS: Final = ("_committed_", "_started_")
#: End of the names of Hadoop's marks of folders in buckets.
SYSTEM_END: Final = "_$folder$"
