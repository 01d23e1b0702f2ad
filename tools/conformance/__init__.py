"""Property tests of the contract, made by Schemathesis: for the tests, and for any instance that runs somewhere."""
