"""Store clients, tested without stores."""
