"""The job's program against a real S3 server, Spark and BigDL on this machine."""
