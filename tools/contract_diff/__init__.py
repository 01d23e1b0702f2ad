"""What changed between two versions of a contract, and which changes break clients that were made for the old one.

A client sends what the old contract allows and understands what the old contract describes. It may be generated, so
the names of operations, tags, parameters and models count. Descriptions, examples and links do not.
"""
