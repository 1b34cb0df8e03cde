"""End-to-end tests with a real Kueue: two teams in a cohort, and runs whose driver follows a script.

Kueue is installed before these tests start (`tests.e2e.__main__`), for them alone: its webhooks see all pods.
"""
