# Two images from one file: `operator` (kopf, no JVM) and `job` (driver and executors of a run).
# Python comes from pyproject.toml's exact pins through uv, Java from Maven; nothing is fetched by address.

FROM debian:bookworm-slim AS python
# man1: update-alternatives of the JRE fails on slim images without it.
RUN mkdir -p /usr/share/man/man1 && apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/* && useradd --uid 10001 --create-home featx

FROM python AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv \
 && python3 -m venv /uv && /uv/bin/pip install --quiet uv
ENV UV_PROJECT_ENVIRONMENT=/opt/featx UV_PYTHON=/usr/bin/python3 UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
WORKDIR /source
COPY pyproject.toml README.md ./

# --reinstall-package below: uv keeps the wheel it built of a folder, and looks at pyproject.toml only to see if it is old.
FROM build AS operator-build
RUN /uv/bin/uv sync --quiet --no-default-groups --extra operator --no-install-project
COPY crds crds
COPY operator operator
COPY jobimage jobimage
RUN /uv/bin/uv sync --quiet --no-default-groups --extra operator --no-editable --reinstall-package featx

FROM build AS job-build
RUN apt-get install -y --no-install-recommends openjdk-17-jdk-headless maven libturbojpeg0
RUN /uv/bin/uv sync --quiet --no-default-groups --extra job --no-install-project
COPY jobimage/java jobimage/java
COPY jobimage/contract jobimage/contract
RUN mvn --quiet --batch-mode -f jobimage/java/pom.xml -Dfeatx.site=/opt/featx/lib/python3.11/site-packages package \
 && mkdir /opt/featx/jars && cp jobimage/java/target/*.jar jobimage/java/target/dependency/*.jar /opt/featx/jars
# Parts of Spark that no run of ours can reach: Hive, Mesos, YARN, streaming state, the R and pandas sides.
RUN cd /opt/featx/lib/python3.11/site-packages/pyspark && rm -rf R examples data pandas python/test_support tests \
 && rm -f jars/hive-* jars/spark-hive* jars/mesos-* jars/spark-mesos* jars/spark-yarn* jars/hadoop-yarn* \
 jars/derby-* jars/rocksdbjni-*
# Of these, test data, and a client that is not the one in use.
RUN cd /opt/featx/lib/python3.11/site-packages && rm -rf onnx/backend/test kubernetes/aio
# Of OpenVINO a run uses the C library, the CPU plugin and the ONNX reader.
RUN cd /opt/featx/lib/python3.11/site-packages/openvino && rm -rf include cmake \
 && rm -f libs/libopenvino_intel_gpu_plugin.so libs/libopenvino_intel_npu_plugin.so libs/cache.json \
 libs/libopenvino_pytorch_frontend.so* libs/libopenvino_tensorflow*.so* libs/libopenvino_paddle_frontend.so* \
 libs/libopenvino_jax_frontend.so* libs/libopenvino_gguf_frontend.so*
COPY crds crds
COPY operator operator
COPY jobimage jobimage
RUN /uv/bin/uv sync --quiet --no-default-groups --extra job --no-editable --reinstall-package featx

FROM python AS operator
COPY --from=operator-build /opt/featx /opt/featx
ENV PATH=/opt/featx/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["python3", "-m", "featx_operator"]

FROM python AS job
RUN apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless libgomp1 libturbojpeg0 \
 && rm -rf /var/lib/apt/lists/* && mkdir -p /var/featx && chown 10001:10001 /var/featx
COPY --from=job-build /opt/featx /opt/featx
ENV PATH=/opt/featx/bin:$PATH PYTHONUNBUFFERED=1 FEATX_JARS=/opt/featx/jars \
    JAVA_HOME=/usr/lib/jvm/java-17-openjdk-amd64 SPARK_HOME=/opt/featx/lib/python3.11/site-packages/pyspark
COPY jobimage/executor.sh /opt/featx/bin/executor
# Here and not in job-build: it fits this very Java, and these jars with the times that they have here.
RUN python3 -m featx_job.build_class_archive "$FEATX_JARS"
USER 10001:10001
WORKDIR /var/featx
ENTRYPOINT ["/opt/featx/bin/executor"]
