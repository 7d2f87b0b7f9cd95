"""The mesh: certificates, who may call what, and the configuration of every sidecar.

What renders takes addresses and folders as arguments: the embedded stack and a cluster use it.
"""
