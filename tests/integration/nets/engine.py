"""The executors' Java engine in a separate JVM without Spark, called from Python."""

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
# BigDL and Spark use JDK internals that are closed since Java 17.
OPENED_PACKAGES = [
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
    """Runs network files like an executor."""

    def __init__(self, gateway: JavaGateway, threads: int, name: Name = "bigdl", precision: str = "f32") -> None:
        self._gateway = gateway
        self._nets = gateway.jvm.dev.featx.nets
        self._threads = threads
        self.name = name
        self._precision = precision

    def using(self, name: Name, precision: str = "f32") -> Engine:
        """Another engine or precision in the same JVM."""
        return Engine(self._gateway, self._threads, name, precision)

    @property
    def jvm(self) -> Any:
        """The JVM, through py4j."""
        return self._gateway.jvm

    @property
    def gateway(self) -> JavaGateway:
        """The connection to the JVM."""
        return self._gateway

    def forward(self, network: bytes, images: Floats, batch: int = 8) -> list[Floats]:
        """The net's outputs, each (n, values per image), for images (n, channels, height, width)."""
        slices = [images[start : start + batch] for start in range(0, len(images), batch)]
        parts = [self.forward_at_once(network, part, batch) for part in slices]
        return [np.concatenate(output) for output in zip(*parts, strict=True)]

    def seconds(self, network: bytes, batch: Floats, rounds: int) -> list[float]:
        """Seconds of successive forwards of a full batch that is already in the JVM."""
        compiled = self.compiled(network, len(batch))
        values, taken = self._java(batch), []
        for _ in range(rounds + 2):
            started = time.perf_counter()
            compiled.forward(values, len(batch))
            taken.append(time.perf_counter() - started)
        return taken[2:]  # the first two create primitives and reorder weights

    def timed(self, compiled: Any, batch: Floats, least: float) -> list[float]:
        """Seconds of successive forwards, repeated for at least this many seconds."""
        values, taken = self._java(batch), list[float]()
        for _ in range(2):  # the first two create primitives and reorder weights
            compiled.forward(values, len(batch))
        while sum(taken) < least or len(taken) < 3:
            started = time.perf_counter()
            compiled.forward(values, len(batch))
            taken.append(time.perf_counter() - started)
        return taken

    def forward_at_once(self, network: bytes, images: Floats, batch: int) -> list[Floats]:
        """The outputs for one batch."""
        return self.outputs(self.compiled(network, batch), images)

    def outputs(self, compiled: Any, images: Floats) -> list[Floats]:
        """A converted net's outputs for one batch."""
        outputs = compiled.forward(self._java(images), len(images))
        return [self._python(output).reshape(len(images), -1) for output in outputs]

    def compiled(self, network: bytes, batch: int) -> Any:
        """The converted net, as a Java object."""
        return self._nets.loading.Networks.of(bytearray(network), self._compilation(batch))

    def _compilation(self, batch: int) -> Any:
        streams = self._threads if self.name == "openvino" else 1
        return self._nets.Compilation.of(self.name, self._precision, batch, self._threads, streams)

    def detect(self, network: bytes, images: Floats, threshold: float, batch: int = 8) -> list[Floats]:
        """Boxes per image, best first: rows of class, score, x0, y0, x1, y1 relative to the image size."""
        data = bytearray(network)
        file, compiled = self._nets.NetworkFile.read(data), self.compiled(network, batch)
        slices = [images[start : start + batch] for start in range(0, len(images), batch)]
        return [boxes for part in slices for boxes in self.boxes(file, compiled, part, threshold)]

    def boxes(self, file: Any, compiled: Any, images: Floats, threshold: float) -> list[Floats]:
        """Boxes per image of one batch, as in `detect`."""
        detector = self._nets.Detector(file, compiled)
        return [_rows(boxes) for boxes in detector.detect(self._java(images), len(images), threshold)]

    def observe(self, compiled: Any, images: Floats, own_outputs: int) -> str:
        """The value ranges of a converted net's outputs on images, as JSON."""
        watched = self._nets.WatchedNetwork(compiled, own_outputs)
        for image in images:
            watched.forward(self._java(image), 1)
        return str(self._gateway.jvm.dev.featx.contract.Contract.write(watched.seen()))

    @contextmanager
    def loaded(self, file: Path, batch: int) -> Iterator[LargeNet]:
        """Loads a net from a file and frees it afterwards. py4j would send a large net as text."""
        read = self._nets.NetworkFile.read(self._gateway.jvm.java.io.File(str(file)).toPath())
        compiled = self._nets.loading.Networks.compile(read, self._compilation(batch))
        try:
            yield LargeNet(self, read, compiled)
        finally:
            compiled.close()
            self._gateway.jvm.java.lang.System.gc()

    def bits(self, values: Floats, threshold: float) -> bytes:
        """Packed bits that mark the values above the threshold."""
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
    """A net that is freed after use."""

    def __init__(self, engine: Engine, file: Any, compiled: Any) -> None:
        self._engine, self._file, self._compiled = engine, file, compiled

    def forward(self, images: Floats) -> list[Floats]:
        """The outputs for one batch, each (n, values per image)."""
        return self._engine.outputs(self._compiled, images)

    def seconds(self, batch: Floats, least: float) -> list[float]:
        """Seconds of successive forwards of a full batch, repeated for at least this many seconds."""
        return self._engine.timed(self._compiled, batch, least)

    def observe(self, images: Floats, own_outputs: int) -> str:
        """The value ranges of the net's outputs on images (dev.featx.nets.WatchedNetwork), as JSON."""
        return self._engine.observe(self._compiled, images, own_outputs)

    def detect(self, images: Floats, threshold: float) -> list[Floats]:
        """Boxes per image of one batch, as in `Engine.detect`."""
        return self._engine.boxes(self._file, self._compiled, images, threshold)


def class_path() -> str:
    """The class path of an executor."""
    folders = [jars(), SITE / "bigdl/share/dllib/lib", SITE / "bigdl/share/core/lib", SITE / "pyspark/jars"]
    return ":".join(f"{folder}/*" for folder in folders)


@contextmanager
def running(threads: int = 2) -> Iterator[Engine]:
    """Runs a JVM with the engine until the block ends."""
    options = [
        "-Xmx3g",
        f"-Dfeatx.openvino={SITE}/openvino/libs",
        *[f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED_PACKAGES],
    ]
    (py4j,) = (SITE / "pyspark/jars").glob("py4j-*.jar")
    port = launch_gateway(
        jarpath=str(py4j),
        classpath=class_path(),
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
