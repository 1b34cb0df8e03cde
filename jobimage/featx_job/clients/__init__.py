"""The one door to each store that several parts of a run use: S3 and Hadoop."""
