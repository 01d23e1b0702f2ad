"""The service beside its peers: what a request costs, and how that cost grows."""
