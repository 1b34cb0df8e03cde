"""The real job on a real node: the chart's operator, the real images, and an S3 server in the cluster."""
