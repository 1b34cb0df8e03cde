"""An executor's memory follows from its nets, or from the spec if set."""

from __future__ import annotations

from typing import Any

import numpy as np
from featx_api.resource import FeatureExtraction
from featx_api.spec import FeatureExtractionSpec
from featx_job.nets.graph import operations
from featx_job.nets.graph.network import Layer, Network
from featx_job.spark import memory
from hypothesis import given
from hypothesis import strategies as st

from tests.support.bad_resources import changed


def spec(memory: str | None = None, engine: str = "bigdl") -> FeatureExtractionSpec:
    resource: dict[str, Any] = changed("spec.execution", {"memory": memory} if memory else {})
    resource["spec"]["engine"] = engine
    return FeatureExtraction.model_validate(resource).spec


def net(weights: int, values: int) -> Network:
    """A fake net with this many mebibytes of weights and of values per image, which allocates none of it."""
    weight = np.broadcast_to(np.float32(1), (weights * 1024 * 256, 1))
    layer = Layer(
        "product", operations.FullyConnected(weight, np.zeros(0, np.float32)), ("data",), (values * 1024 * 256,)
    )
    return Network("net", "data", (3, 8, 8), (layer,), ("product",))


SMALL, SSD, VGG = net(5, 20), net(100, 95), net(537, 47)


def test_a_small_net_uses_full_batches_in_two_gibibytes() -> None:
    sizes = memory.sizes([SMALL], spec(), cores=1)
    assert sizes.batch == 8
    assert sizes.pod <= 2048


def test_the_vgg16_pair_fits_three_gibibytes_with_smaller_batches() -> None:
    sizes = memory.sizes([SSD, VGG], spec(), cores=2)
    assert sizes.batch == 4
    assert sizes.pod <= 3072


def test_small_nets_use_one_stream_per_core_and_large_ones_a_single_stream() -> None:
    assert memory.sizes([SMALL], spec(), cores=4).streams == 4
    assert memory.sizes([SMALL], spec(engine="openvino"), cores=64).streams == 8
    assert memory.sizes([SSD, VGG], spec(), cores=4).streams == 1


def test_openvino_gets_memory_for_each_streams_weights() -> None:
    one, two = (memory.sizes([VGG], spec(engine="openvino"), cores=cores).pod for cores in (1, 2))
    assert two - one >= 537


def test_the_users_memory_is_the_pods_and_the_heap_gets_its_share() -> None:
    given_, needed = memory.sizes([SSD, VGG], spec("2Gi"), cores=2), memory.sizes([SSD, VGG], spec(), cores=2)
    assert given_.pod == 2048
    assert abs(given_.heap / given_.pod - needed.heap / needed.pod) < 0.01
    assert memory.sizes([SSD, VGG], spec("8Gi"), cores=2).heap == needed.heap


@given(st.integers(1, 600), st.integers(1, 900), st.integers(1, 64))
def test_heap_and_values_always_fit_the_pod_and_a_batch_has_at_least_one_image(
    weights: int, values: int, cores: int
) -> None:
    sizes = memory.sizes([net(weights, values)], spec(), cores)
    assert sizes.batch in (1, 2, 4, 8)
    assert 1 <= sizes.streams <= min(cores, 8)
    assert sizes.heap + sizes.streams * (weights + sizes.batch * values) < sizes.pod


def test_raised_memory_raises_heap_and_pod_alike() -> None:
    for chosen in (None, "4Gi"):
        before, raised = (memory.sizes([SMALL], spec(chosen), cores=1, percent=percent) for percent in (100, 150))
        assert (raised.pod, raised.heap) == (round(before.pod * 1.5), round(before.heap * 1.5))
        assert (raised.batch, raised.streams) == (before.batch, before.streams)
