"""`make resource NAME=…`: a new resource, from its schema in the contract."""
