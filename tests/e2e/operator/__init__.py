"""End-to-end tests of the operator alone: a real API server, kubelet and pods, and a driver that follows a script.

The operator runs as a child process of the test, so that it can be killed, with the permissions that the chart grants.
"""
