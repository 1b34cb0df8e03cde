"""What tests of several layers share: models, nets, images, stores, tables and resources."""
