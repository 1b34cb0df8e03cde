"""The Spark program that a driver pod, or `featx run`, runs."""
