"""The operator: turns FeatureExtraction resources into driver pods, and what becomes of those into status.

No JVM, no Spark. From the outside in: `__main__` starts kopf, which only feeds watch events to `handlers`; they put
keys into `queue`; `reconcile` takes one key at a time, looks (`observed`), decides (`plan`, pure) and acts (`cluster`).
"""
