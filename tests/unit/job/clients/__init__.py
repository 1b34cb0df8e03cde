"""Clients of stores, without stores."""
