"""The kopf operator: no JVM, no Spark."""
