"""End-to-end tests of the chart's Roles and policies: a real API server, and real tokens that are bound to pods."""
