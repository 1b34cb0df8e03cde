"""The FeatureExtraction resource: what both the operator and the job import."""
