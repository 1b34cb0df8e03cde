"""Real servers on loopback for sources and outputs: HDFS and HBase, one process each."""
