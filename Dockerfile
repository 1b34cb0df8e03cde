# Two images from one file: `operator` (kopf, no JVM) and `job` (driver and executors of a run). Each holds only the
# packages of Featx that it runs: a wheel holds those whose source its stage copies.
# What is pinned: Python packages by constraints.txt, jars by pom.xml, and Debian by release, whose security updates are
# wanted. The base image has no digest: `make cluster` makes one of that name from Debian's packages (examples/cluster).

FROM debian:bookworm-slim AS python
# man1: update-alternatives of the JRE fails on slim images without it.
RUN mkdir -p /usr/share/man/man1 && apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 \
 && rm -rf /var/lib/apt/lists/* && useradd --uid 10001 --create-home featx

FROM python AS build
WORKDIR /source
COPY pyproject.toml constraints.txt ./
RUN apt-get update && apt-get install -y --no-install-recommends python3-venv \
 && python3 -m venv /uv && /uv/bin/pip install --quiet --constraint constraints.txt uv \
 && /uv/bin/uv venv --quiet --python /usr/bin/python3 /opt/featx
ENV VIRTUAL_ENV=/opt/featx UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1

# Featx's wheel has no entry point in an image: `featx` is the command line, which is in neither.
# --reinstall: uv caches the wheel that it built of a directory, and rebuilds it only if pyproject.toml has changed.
FROM build AS operator-build
RUN /uv/bin/uv pip install --quiet --constraint constraints.txt --requirements pyproject.toml --extra operator
COPY README.md LICENSE NOTICE ./
COPY crds crds
COPY operator operator
RUN /uv/bin/uv pip install --quiet --no-deps --reinstall . && rm /opt/featx/bin/featx

FROM build AS job-build
RUN apt-get install -y --no-install-recommends openjdk-17-jdk-headless maven libturbojpeg0
RUN /uv/bin/uv pip install --quiet --constraint constraints.txt --requirements pyproject.toml --extra job
COPY jobimage/java jobimage/java
COPY jobimage/contract jobimage/contract
# Its tests are those of `make unit`.
RUN mvn --quiet --batch-mode -f jobimage/java/pom.xml -Dfeatx.site=/opt/featx/lib/python3.11/site-packages \
  -Dmaven.test.skip package \
 && mkdir /opt/featx/jars && cp jobimage/java/target/*.jar jobimage/java/target/dependency/*.jar \
 jobimage/java/src/main/jvm/compiler.json /opt/featx/jars
# Parts of Spark that no run of ours can reach: Hive, Mesos, YARN, streaming state, the R and pandas sides; and Hadoop's
# client, of which FEATX_JARS has a later one.
RUN cd /opt/featx/lib/python3.11/site-packages/pyspark && rm -rf R examples data pandas python/test_support tests \
 && rm -f jars/hive-* jars/spark-hive* jars/mesos-* jars/spark-mesos* jars/spark-yarn* jars/hadoop-yarn* \
 jars/derby-* jars/rocksdbjni-* jars/hadoop-client-*
# Of these, test data, and a client that is not the one in use.
RUN cd /opt/featx/lib/python3.11/site-packages && rm -rf onnx/backend/test kubernetes/aio pyarrow/tests pyarrow/include
# Of OpenVINO a run uses the C library, the CPU plugin and the ONNX reader.
RUN cd /opt/featx/lib/python3.11/site-packages/openvino && rm -rf include cmake \
 && rm -f libs/libopenvino_intel_gpu_plugin.so libs/libopenvino_intel_npu_plugin.so libs/cache.json \
 libs/libopenvino_pytorch_frontend.so* libs/libopenvino_tensorflow*.so* libs/libopenvino_paddle_frontend.so* \
 libs/libopenvino_jax_frontend.so* libs/libopenvino_gguf_frontend.so*
COPY README.md LICENSE NOTICE ./
COPY crds crds
COPY jobimage/featx_job jobimage/featx_job
RUN /uv/bin/uv pip install --quiet --no-deps --reinstall . && rm /opt/featx/bin/featx

FROM python AS operator
COPY --from=operator-build /opt/featx /opt/featx
ENV PATH=/opt/featx/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
ENTRYPOINT ["python3", "-m", "featx_operator"]
# At the end, as everything after an ARG is built again for each of its values. `make cluster` passes pyproject.toml's.
ARG VERSION
LABEL org.opencontainers.image.title="Featx operator" org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.vendor="Featx authors" org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.description="Runs FeatureExtraction resources as Spark jobs"

FROM python AS job
# Java encodes the names of files by the locale; Debian's is POSIX, in which only ASCII can be read. glibc's arenas keep what
# decoders free: on 100,000 damaged images a JVM grew by 233 MiB, and with two arenas by 7.
ENV LC_ALL=C.UTF-8 MALLOC_ARENA_MAX=2
RUN apt-get update && apt-get install -y --no-install-recommends openjdk-17-jre-headless libgomp1 libturbojpeg0 libvips42 libheif1 \
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
ARG VERSION
LABEL org.opencontainers.image.title="Featx job" org.opencontainers.image.version=$VERSION \
      org.opencontainers.image.vendor="Featx authors" org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.description="Driver and executors of a FeatureExtraction's run"
