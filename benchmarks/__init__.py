"""The service compared with its peers: the cost of a request, and how this cost grows."""
