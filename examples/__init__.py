"""Resources to start from, and the demo."""
