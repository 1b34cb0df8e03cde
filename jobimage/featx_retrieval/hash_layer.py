"""Appends a hash layer to a Caffe model, so that the extractor computes the bits itself.

The layer is an InnerProduct behind the feature's layer; a bit is set where its output is above 0.
"""

from __future__ import annotations

import numpy as np
from featx_job.nets import caffe_pb2
from featx_job.nets.blobs import layers_for_inference, read_prototxt
from featx_job.nets.errors import ModelError
from google.protobuf import text_format

from featx_retrieval.baselines import Hash

NAME = "deepbit"


def appended(prototxt: str, caffemodel: bytes, layer: str, hashing: Hash) -> tuple[str, bytes]:
    """Returns both files with the layer `deepbit` in them.

    Args:
        prototxt: Text of the architecture.
        caffemodel: The weights' bytes.
        layer: Name of the layer whose output is the feature that the hash was fitted to.
        hashing: Weight (bits, d) and bias (bits,).

    Raises:
        ModelError: No such layer, it has a layer `deepbit` already, or other layers write over the feature in place.
    """
    messages, _ = layers_for_inference(read_prototxt(prototxt))
    tops = {each.name: list(each.top) for each in messages}
    if layer not in tops:
        raise ModelError(f"the net has no layer {layer!r}")
    if NAME in tops:
        raise ModelError(f"the net has a layer {NAME!r} already: fit to the net without it")
    blob = tops[layer][0]
    writers = [each.name for each in messages if blob in each.top and each.type != "Dropout"]
    if writers[-1] != layer:
        raise ModelError(f"layer {writers[-1]} writes over {layer}'s output in place: name {writers[-1]} instead")
    added = caffe_pb2.LayerParameter(name=NAME, type="InnerProduct", bottom=[blob], top=[NAME])
    added.inner_product_param.num_output = len(hashing.bias)
    text = prototxt.rstrip() + "\nlayer {\n" + text_format.MessageToString(added, indent=2) + "}\n"
    weights = caffe_pb2.NetParameter.FromString(caffemodel)
    for array in (hashing.weight, hashing.bias):
        values = np.asarray(array, np.float32)
        added.blobs.add(shape={"dim": list(values.shape)}, data=values.ravel().tolist())
    weights.layer.append(added)
    return text, weights.SerializeToString(deterministic=True)
