"""Mounts are parsed correctly from the kernel's list, or `down` would leave some behind."""

from __future__ import annotations

from pathlib import Path

from examples.cluster import mounts

MOUNTINFO = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 22 0:35 / /run/featx/cluster/network-namespace rw shared:12 - nsfs nsfs rw
41 22 0:36 / /mnt/with\040space\134and\011tab rw - tmpfs tmpfs rw
""".strip()


def test_mount_points_are_listed_in_mount_order() -> None:
    assert mounts.parse(MOUNTINFO)[:2] == [Path("/"), Path("/run/featx/cluster/network-namespace")]


def test_escaped_characters_are_decoded() -> None:
    assert mounts.parse(MOUNTINFO)[2] == Path("/mnt/with space\\and\ttab")


def test_a_sibling_folder_with_the_same_prefix_is_not_below() -> None:
    assert mounts.below([Path("/pro")]) == []
    assert Path("/proc") in mounts.below([Path("/proc")])
