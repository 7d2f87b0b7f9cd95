"""The manifests of k8s/base, made of the tables that the embedded stack is made of: services, who
may call whom, the templates of Envoy. `python -m devstack.k8s` writes them, `--check` compares.
"""
