"""The whole mesh on one machine, for development, demonstration and tests. Never imported in
production.
"""
