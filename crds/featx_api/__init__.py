"""The FeatureExtraction resource: one definition for the CRD, the operator, the job and the command line."""

from __future__ import annotations

GROUP = "featx.dev"
VERSION = "v1alpha1"
KIND = "FeatureExtraction"
PLURAL = "featureextractions"
SHORT_NAME = "fx"
API_VERSION = f"{GROUP}/{VERSION}"
