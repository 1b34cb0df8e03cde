"""The charts on a real node: installed, upgraded, rolled back and uninstalled by helm, and used by three teams."""
