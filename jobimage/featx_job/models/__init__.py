"""The origin of a run's models: stores, volumes and packages."""
