"""kumiawase.yaml: its forms, its faults in one line each, and the settings it becomes."""

from kumiawase.settings.loading import Settings, absolute_storage, endpoint_spec, load, model_spec

__all__ = ["Settings", "absolute_storage", "endpoint_spec", "load", "model_spec"]
