"""Reasons why pods wait, in our words: scheduler and kubelet have several for the same thing."""

from __future__ import annotations

from featx_operator.decisions import reasons

#: Our reasons by those of scheduler and kubelet.
OURS = {
    "Unschedulable": reasons.UNSCHEDULABLE,
    "SchedulingGated": reasons.UNSCHEDULABLE,
    "ErrImagePull": reasons.IMAGE_UNAVAILABLE,
    "ImagePullBackOff": reasons.IMAGE_UNAVAILABLE,
    "ErrImageNeverPull": reasons.IMAGE_UNAVAILABLE,
    "InvalidImageName": reasons.IMAGE_UNAVAILABLE,
    "ImageInspectError": reasons.IMAGE_UNAVAILABLE,
    "RegistryUnavailable": reasons.IMAGE_UNAVAILABLE,
    "SignatureValidationFailed": reasons.IMAGE_UNAVAILABLE,
    "CreateContainerConfigError": reasons.CONTAINER_CONFIG,
    "CreateContainerError": reasons.CONTAINER_CONFIG,
    "RunContainerError": reasons.CONTAINER_CONFIG,
}
