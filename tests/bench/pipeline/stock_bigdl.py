"""BigDL as documented: ImageFrame.read, transform, predict_image. The extractor on whole images.

There is no detector: BigDL's Caffe loader does not support Permute, PriorBox and DetectionOutput. The feature is the
net's last layer, the only one available to predict_image on MKL-DNN. BigDL needs the long settings with pyspark > 3.1.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from featx_job.spark.settings import OPENED
from pyspark import SparkConf, SparkContext
from pyspark.sql import SparkSession

from tests.bench.pipeline.baselines.work import Work
from tests.integration.nets.engine import SITE

JOBS = 2


def main(path: str) -> None:
    """Runs a work file twice: every job converts the net again and writes one file."""
    from bigdl.dllib.feature.transform.vision.image import (
        ChannelNormalize,
        ImageFrame,
        ImageFrameToSample,
        MatToTensor,
        Pipeline,
        Resize,
    )
    from bigdl.dllib.nn.layer import Model
    from bigdl.dllib.utils.common import init_engine

    work = Work.read(path)
    model_files = json.loads((Path(work.extractor.onnx).parent / "pair.json").read_text())["extractor"]["model"]
    if "onnx" in model_files:
        sys.exit("Failed: BigDL's documented ImageFrame API can't load ONNX files")
    os.environ["PYSPARK_PYTHON"] = sys.executable
    context = SparkContext(conf=conf(work.cores))
    session = SparkSession(context)
    init_engine()
    prototxt, weights = (model_files[key].removeprefix("file://") for key in ("prototxt", "weights"))
    model: Any = Model.load_caffe_model(prototxt, weights)
    blue, green, red = work.extractor.mean
    size = work.extractor.size
    steps = Pipeline([Resize(size, size), ChannelNormalize(red, green, blue), MatToTensor(), ImageFrameToSample()])
    folder = str(Path(work.images[0]).parent)
    for index in range(JOBS):
        frame = steps(ImageFrame.read(folder, context, work.cores))
        predictions = model.predict_image(frame, batch_per_partition=work.batch)
        rows = predictions.get_predict().map(lambda row: (row[0], [float(value) for value in row[1].ravel()]))
        rows.toDF("key string, feature array<float>").write.parquet(f"{work.output}/{index}")
    session.stop()


def conf(cores: int) -> SparkConf:
    """Spark's settings, including BigDL's."""
    folders = [SITE / "bigdl/share/dllib/lib", SITE / "bigdl/share/core/lib"]
    options = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
    options += ["-Dbigdl.engineType=mkldnn", f"-Dbigdl.mklNumThreads={cores}", "-Dbigdl.disableOmpAffinity=true"]
    settings = {
        "spark.master": f"local[{cores}]",
        "spark.driver.memory": "15g",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.driver.extraClassPath": ":".join(f"{folder}/*" for folder in folders),
        "spark.driver.extraJavaOptions": " ".join(options),
        "spark.serializer": "org.apache.spark.serializer.JavaSerializer",
        "spark.shuffle.reduceLocality.enabled": "false",
        "spark.shuffle.blockTransferService": "nio",
        "spark.scheduler.minRegisteredResourcesRatio": "1.0",
        "spark.speculation": "false",
    }
    return SparkConf(loadDefaults=False).setAll(list(settings.items()))


if __name__ == "__main__":
    main(sys.argv[1])
