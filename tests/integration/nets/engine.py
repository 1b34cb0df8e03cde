"""The Java engine in a JVM of its own, called from Python: what executors run, without Spark."""

from __future__ import annotations

import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from featx_cli.java_build import jars
from numpy.typing import NDArray
from py4j.java_gateway import GatewayParameters, JavaGateway, launch_gateway

Floats = NDArray[np.float32]
Name = Literal["bigdl", "openvino"]
SITE = Path(sysconfig.get_paths()["purelib"])
# BigDL and Spark look into classes of the JDK that are closed since 17.
OPENED = [
    "java.lang",
    "java.lang.invoke",
    "java.lang.reflect",
    "java.io",
    "java.net",
    "java.nio",
    "java.util",
    "java.util.concurrent",
    "java.util.concurrent.atomic",
    "sun.nio.ch",
    "sun.nio.cs",
    "sun.security.action",
    "sun.util.calendar",
]


class Engine:
    """Runs network files as an executor does."""

    def __init__(self, gateway: JavaGateway, threads: int, name: Name = "bigdl", precision: str = "f32") -> None:
        self._gateway = gateway
        self._nets = gateway.jvm.dev.featx.nets
        self._threads = threads
        self.name = name
        self._precision = precision

    def of(self, name: Name, precision: str = "f32") -> Engine:
        """Returns another engine in the same JVM."""
        return Engine(self._gateway, self._threads, name, precision)

    @property
    def jvm(self) -> Any:
        """The JVM, by py4j."""
        return self._gateway.jvm

    def forward(self, network: bytes, images: Floats, batch: int = 8) -> list[Floats]:
        """Returns each output of the net, (n, numbers of an image), for images (n, channels, height, width)."""
        slices = [images[start : start + batch] for start in range(0, len(images), batch)]
        parts = [self.forward_at_once(network, some, batch) for some in slices]
        return [np.concatenate(output) for output in zip(*parts, strict=True)]

    def seconds(self, network: bytes, batch: Floats, rounds: int) -> list[float]:
        """Returns how long forwards of one full batch took, one after another, the batch being in the JVM already."""
        compiled = self.compiled(network, len(batch))
        given, taken = self._java(batch), []
        for _ in range(rounds + 2):
            started = time.perf_counter()
            compiled.forward(given, len(batch))
            taken.append(time.perf_counter() - started)
        return taken[2:]  # the first ones make primitives and reorder weights

    def timed(self, compiled: Any, batch: Floats, least: float) -> list[float]:
        """Returns how long forwards took, over at least so many seconds."""
        given, taken = self._java(batch), list[float]()
        for _ in range(2):  # the first ones make primitives and reorder weights
            compiled.forward(given, len(batch))
        while sum(taken) < least or len(taken) < 3:
            started = time.perf_counter()
            compiled.forward(given, len(batch))
            taken.append(time.perf_counter() - started)
        return taken

    def forward_at_once(self, network: bytes, images: Floats, batch: int) -> list[Floats]:
        """Returns the outputs for one batch."""
        return self.outputs(self.compiled(network, batch), images)

    def outputs(self, compiled: Any, images: Floats) -> list[Floats]:
        """Returns the outputs of a converted net for one batch."""
        outputs = compiled.forward(self._java(images), len(images))
        return [self._python(output).reshape(len(images), -1) for output in outputs]

    def compiled(self, network: bytes, batch: int) -> Any:
        """Returns the Java object of the converted net."""
        return self._nets.loading.Networks.of(bytearray(network), self._how(batch))

    def _how(self, batch: int) -> Any:
        streams = self._threads if self.name == "openvino" else 1
        return self._nets.Compilation.of(self.name, self._precision, batch, self._threads, streams)

    def detect(self, network: bytes, images: Floats, threshold: float, batch: int = 8) -> list[Floats]:
        """Returns each image's boxes, best first: rows of class, score, x0, y0, x1, y1 as shares of the image."""
        data = bytearray(network)
        file, compiled = self._nets.NetworkFile.read(data), self.compiled(network, batch)
        slices = [images[start : start + batch] for start in range(0, len(images), batch)]
        return [boxes for some in slices for boxes in self.boxes(file, compiled, some, threshold)]

    def boxes(self, file: Any, compiled: Any, images: Floats, threshold: float) -> list[Floats]:
        """Returns each image's boxes of one batch, as above."""
        detector = self._nets.Detector(file, compiled)
        return [_rows(boxes) for boxes in detector.detect(self._java(images), len(images), threshold)]

    def seen(self, compiled: Any, images: Floats, own_outputs: int) -> str:
        """Returns what values a converted net's outputs took on images, as JSON."""
        watched = self._nets.WatchedNetwork(compiled, own_outputs)
        for image in images:
            watched.forward(self._java(image), 1)
        return str(self._gateway.jvm.dev.featx.contract.Contract.write(watched.seen()))

    @contextmanager
    def loaded(self, file: Path, batch: int) -> Iterator[LargeNet]:
        """Loads a net from a file, and frees it at the end: py4j would send a large one as text."""
        read = self._nets.NetworkFile.read(self._gateway.jvm.java.io.File(str(file)).toPath())
        compiled = self._nets.loading.Networks.compile(read, self._how(batch))
        try:
            yield LargeNet(self, read, compiled)
        finally:
            compiled.close()
            self._gateway.jvm.java.lang.System.gc()

    def bits(self, values: Floats, threshold: float) -> bytes:
        """Returns which values are above the threshold, packed."""
        return bytes(self._nets.Bits.pack(self._java(values), 0, values.size, threshold))

    def _java(self, array: Floats) -> Any:
        buffer = self._gateway.jvm.java.nio.ByteBuffer.wrap(bytearray(np.ascontiguousarray(array, ">f4").tobytes()))
        floats = self._gateway.new_array(self._gateway.jvm.float, array.size)
        buffer.asFloatBuffer().get(floats)
        return floats

    def _python(self, floats: Any) -> Floats:
        buffer = self._gateway.jvm.java.nio.ByteBuffer.allocate(4 * len(floats))
        buffer.asFloatBuffer().put(floats)
        return np.frombuffer(buffer.array(), ">f4").astype(np.float32)


class LargeNet:
    """A net that is used once."""

    def __init__(self, engine: Engine, file: Any, compiled: Any) -> None:
        self._engine, self._file, self._compiled = engine, file, compiled

    def forward(self, images: Floats) -> list[Floats]:
        """Returns the outputs for one batch, each (n, numbers of an image)."""
        return self._engine.outputs(self._compiled, images)

    def seconds(self, batch: Floats, least: float) -> list[float]:
        """Returns how long forwards of a full batch took, one by one, over at least so many seconds."""
        return self._engine.timed(self._compiled, batch, least)

    def seen(self, images: Floats, own_outputs: int) -> str:
        """Returns what values the net's outputs took on images (dev.featx.nets.WatchedNetwork), as JSON."""
        return self._engine.seen(self._compiled, images, own_outputs)

    def detect(self, images: Floats, threshold: float) -> list[Floats]:
        """Returns each image's boxes of one batch, as `Engine.detect` does."""
        return self._engine.boxes(self._file, self._compiled, images, threshold)


@contextmanager
def running(threads: int = 2) -> Iterator[Engine]:
    """Starts a JVM with the engine in it, and ends it."""
    folders = [jars(), SITE / "bigdl/share/dllib/lib", SITE / "bigdl/share/core/lib", SITE / "pyspark/jars"]
    options = [
        "-Xmx3g",
        f"-Dfeatx.openvino={SITE}/openvino/libs",
        *[f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED],
    ]
    (py4j,) = (SITE / "pyspark/jars").glob("py4j-*.jar")
    port = launch_gateway(
        jarpath=str(py4j),
        classpath=":".join(f"{folder}/*" for folder in folders),
        javaopts=options,
        die_on_exit=True,
    )
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port))
    try:
        yield Engine(gateway, threads)
    finally:
        gateway.shutdown()


def _rows(boxes: Any) -> Floats:
    rows = [(box.category(), box.score(), box.x0(), box.y0(), box.x1(), box.y1()) for box in boxes]
    return np.array(rows, np.float32).reshape(-1, 6)
