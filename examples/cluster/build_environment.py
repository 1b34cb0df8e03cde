"""What image builds get from this machine: trusted CAs, package manager settings, and earlier downloads.

Everything is mounted, so that the Dockerfile is the one that everybody builds with, and nothing stays in the image.
Certificates are mounted as single files, not all of /etc/ssl/certs: packages that the build installs write there.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from featx_cli.java_build import uv

from examples.cluster import paths

TRUST_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
JAVA_TRUST_STORE = Path("/etc/ssl/certs/java/cacerts")
JAVA_TRUST_STORE_IN_BUILD = "/run/host-trust/cacerts"
PIP_SETTINGS = Path("/etc/pip.conf")

# As in Debian's own slim images: no manuals and no translations, neither in the base nor in later packages.
SLIM = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/man/*",
)
# Download folders of package managers, and the cache folder of each between builds.
DOWNLOADS = {"/var/cache/apt/archives": "apt", "/root/.cache": "home-cache", "/root/.m2": "maven"}


def volumes() -> list[str]:
    """Return the buildah options that mount everything."""
    mounts = {str(folder): f"{inside}:rw" for inside, folder in _downloads().items()}
    for file in (TRUST_BUNDLE, PIP_SETTINGS):
        if file.exists():
            mounts[str(file)] = f"{file}:ro"
    settings = paths.cache() / "build"
    uv = settings / "uv.toml"
    uv.write_text("native-tls = true\n")  # to trust the bundle above, as pip does
    mounts[str(uv)] = "/etc/uv/uv.toml:ro"
    if JAVA_TRUST_STORE.exists():
        maven = settings / "mavenrc"
        options = f"-Djavax.net.ssl.trustStore={JAVA_TRUST_STORE_IN_BUILD} -Djavax.net.ssl.trustStorePassword=changeit"
        maven.write_text(f'MAVEN_OPTS="$MAVEN_OPTS {options}"\n')
        mounts[str(maven)] = "/root/.mavenrc:ro"
        mounts[str(JAVA_TRUST_STORE)] = f"{JAVA_TRUST_STORE_IN_BUILD}:ro"
    return [f"--volume={outside}:{inside}" for outside, inside in mounts.items()]


def prune_downloads() -> None:
    """Remove what uv would not use again from its cache: a gigabyte each time PySpark is built."""
    settings = {**os.environ, "UV_CACHE_DIR": str(_downloads()["/root/.cache"] / "uv")}
    with contextlib.suppress(FileNotFoundError):  # without uv there is nothing to remove
        subprocess.run([uv(), "cache", "prune", "--quiet"], env=settings, capture_output=True)


def mmdebstrap_options() -> list[str]:
    """Return options for mmdebstrap: dpkg settings of the base image, and this machine's for stale mirrors."""
    options = [f"--dpkgopt={option}" for option in SLIM]
    dump = subprocess.run(["apt-config", "dump", "Acquire"], capture_output=True, text=True).stdout
    checks = ("Acquire::Check-Valid-Until ", "Acquire::Check-Date ")
    return [*options, *(f"--aptopt={line.rstrip(';')}" for line in dump.splitlines() if line.startswith(checks))]


def _downloads() -> dict[str, Path]:
    folders = {inside: paths.cache() / "build" / name for inside, name in DOWNLOADS.items()}
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    (folders["/var/cache/apt/archives"] / "partial").mkdir(exist_ok=True)
    return folders
