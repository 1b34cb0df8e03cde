"""Images in all formats, decoded as executors do, compared with Pillow."""
