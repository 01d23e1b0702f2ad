"""Power cuts: records what the service writes to its database, rebuilds what a power cut can leave, and checks it.

README.md explains how, and how to add a workload.
"""
