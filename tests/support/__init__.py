"""Shared by tests of several layers: models, nets, images, stores, tables and resources."""
