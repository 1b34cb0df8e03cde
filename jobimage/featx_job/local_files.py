"""Files of this machine and of mounted claims: what `file:///` and `claim://` addresses of a spec may reach.

In a driver pod only mounted claims count, and nothing leads out of a claim: whoever may create a run could otherwise
have the pod's token or another Secret read. A path is resolved without looking outside the claim, and its folders are
then opened one after the other without following links, so that a link swapped in meanwhile is an error. On a user's
machine `file:///` is any file. dev.featx.source.ClaimFiles does the same for executors.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from featx_api.failures import FailureClass

from featx_job.environment import Environment
from featx_job.failures import RunFailure

CLAIM, FILE = "claim://", "file://"
MOST_LINKS = 40  # as many as Linux follows
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not block


class LeavesClaimError(Exception):
    """A path leads out of its claim."""


@dataclass(frozen=True)
class LocalPath:
    """A file or folder that a spec names.

    Attributes:
        root: The claim's folder, or the file system's on a user's machine.
        below: The path below it, as the spec has it.
        confined: Whether nothing may lead out of `root`.
        field: The spec's field that holds the address.
        address: As the user wrote it.
    """

    root: Path
    below: str
    confined: bool
    field: str
    address: str

    @property
    def path(self) -> Path:
        """The path as driver and executors see it, with its links."""
        return self.root / self.below

    def is_folder(self) -> bool:
        """Return whether this is an existing folder.

        Raises:
            RunFailure: PathNotAllowed.
        """
        try:
            with self.opened_folder():
                return True
        except OSError:
            return False

    def leads_out(self, relative: str) -> bool:
        """Return whether a path below this folder leads out of the claim. Nothing outside is looked at."""
        try:
            self._parts(relative)
        except LeavesClaimError:
            return True
        return False

    def resolved(self, relative: str = "") -> Path:
        """Return a path without links, which need not exist.

        Args:
            relative: Path below this folder.

        Raises:
            RunFailure: PathNotAllowed.
        """
        return self.root.joinpath(*self._allowed(relative))

    def open(self, relative: str = "") -> BinaryIO:
        """Open a file to read it.

        Args:
            relative: Path below this folder; empty for this file itself.

        Raises:
            OSError: It can't be read, or is no regular file.
            RunFailure: PathNotAllowed.
        """
        *folders, name = self._allowed(relative) or (".",)
        with self._descriptor(folders) as folder:
            descriptor = os.open(name, _FILE, dir_fd=folder)
        file = os.fdopen(descriptor, "rb")
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            file.close()
            raise OSError(errno.EINVAL, "not a regular file")
        return file

    @contextmanager
    def opened_folder(self, relative: str = "", *, create: bool = False) -> Iterator[int]:
        """Yield a descriptor of a folder, for functions of `os` that take `dir_fd`.

        Args:
            relative: Path below this folder.
            create: Whether to create missing folders.

        Raises:
            OSError: There is no such folder, or it can't be opened.
            RunFailure: PathNotAllowed.
        """
        with self._descriptor(self._allowed(relative), create=create) as descriptor:
            yield descriptor

    @contextmanager
    def _descriptor(self, folders: list[str], *, create: bool = False) -> Iterator[int]:
        descriptor = os.open(self.root, _FOLDER)
        try:
            for name in folders:
                if create:
                    _make(name, descriptor)
                inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    def _allowed(self, relative: str) -> list[str]:
        try:
            return self._parts(relative)
        except LeavesClaimError:
            raise not_allowed(self.field, self.address) from None

    def _parts(self, relative: str) -> list[str]:
        """Return the parts of a path below `root`, without links."""
        path = f"{self.below}/{relative}"
        if self.confined:
            return _resolve(self.root, path)
        return list(Path(os.path.realpath(self.root / path.strip("/"))).relative_to(self.root).parts)


def _make(name: str, parent: int) -> None:
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)


def _resolve(root: Path, path: str) -> list[str]:
    """Replace links that stay below a folder.

    Raises:
        LeavesClaimError: One is absolute, or leads out of the folder.
    """
    pending, done, links = path.split("/")[::-1], list[str](), 0
    while pending:
        part = pending.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not done:
                raise LeavesClaimError
            done.pop()
            continue
        try:
            target = str(root.joinpath(*done, part).readlink())
        except OSError:  # not a link, or nothing at all
            done.append(part)
            continue
        links += 1
        if links > MOST_LINKS or target.startswith("/"):
            raise LeavesClaimError
        pending += target.split("/")[::-1]
    return done


def on_this_machine(path: Path, field: str) -> LocalPath:
    """Return a file or folder that nothing is refused of: a user's own, or one that Featx made.

    Args:
        path: Its absolute path.
        field: The spec's field that it comes from.
    """
    return LocalPath(Path("/"), str(path).strip("/"), confined=False, field=field, address=str(path))


def locate(uri: str, field: str, environment: Environment) -> LocalPath:
    """Return the file or folder of a `file:///` or `claim://` address.

    Args:
        uri: The address.
        field: The spec's field that holds it.
        environment: Where the driver runs.

    Raises:
        RunFailure: PathNotAllowed. Whether the path exists makes no difference.
    """
    if uri.startswith(CLAIM):
        return _in_claim(uri.removeprefix(CLAIM), field, uri, environment)
    path = uri.removeprefix(FILE)
    if environment.cluster is None:
        return on_this_machine(Path(path), field)
    claims = f"{environment.claims}/"
    if not path.startswith(claims):
        raise not_allowed(field, uri)
    return _in_claim(path.removeprefix(claims), field, uri, environment)


def _in_claim(path: str, field: str, address: str, environment: Environment) -> LocalPath:
    claim, _, below = path.partition("/")
    parts = below.split("/")
    if claim in ("", ".", "..") or ".." in parts or "\0" in path:
        raise not_allowed(field, address)
    return LocalPath(environment.claims / claim, below.strip("/"), confined=True, field=field, address=address)


def not_allowed(field: str, address: str) -> RunFailure:
    """Return the failure of an address that reaches more than a claim: always the same, whatever is there."""
    message = (
        f"{field}: {address} is not inside a mounted claim; use claim://CLAIM/path, without `..` and without links "
        "that lead out of the claim"
    )
    return RunFailure(FailureClass.PATH_NOT_ALLOWED, message)
