"""End-to-end tests of the operator alone: real API server, kubelet and pods, with a driver that follows a script.

The operator runs as a process of the test, so that it can be killed, with the rights that the chart gives it.
"""
