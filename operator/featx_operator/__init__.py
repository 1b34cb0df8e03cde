"""The operator: runs FeatureExtraction resources as driver pods and reports their progress in the status.

No JVM, no Spark. `__main__` starts kopf, which only feeds watch events to `handlers`; those add keys to `queue`.
`reconcile` takes one key at a time, reads what was last seen (`state`), decides (`decisions`, pure) and acts
(`cluster`).
"""
