"""The charts as helm renders them."""
