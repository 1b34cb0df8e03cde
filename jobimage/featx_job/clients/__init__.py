"""One client per store that several parts of a run use: S3 and Hadoop."""
