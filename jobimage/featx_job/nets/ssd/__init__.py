"""How an SSD turns the outputs of its trunk into boxes."""
