"""What a competent user would write without Featx. Runs in a separate environment and imports nothing from Featx."""
