"""Single-shot detectors (SSDs): how the outputs of the trunk become boxes."""
