"""What a competent user would write without Featx. Runs in an environment of its own and imports nothing of Featx."""
