"""The supply chain: a list of the packages that the service is made of, and their known vulnerabilities."""
