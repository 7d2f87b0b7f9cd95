"""Where the packages lie: `paymesh` has two folders, the generated stubs and the client, which
pyproject.toml alone cannot say.
"""

from setuptools import find_namespace_packages, setup

SERVICES = ["payment_svc", "ledger_svc", "wallet_svc", "risk_svc", "psp_gateway", "edge_auth"]
ROOT = [
    name + more
    for name in ("audit_log", "bookkeeping", "chassis", "paging", "privacy", "devstack", *SERVICES)
    for more in ("", ".*")
]

setup(
    packages=[
        *find_namespace_packages(".", include=ROOT),
        *find_namespace_packages("stubs"),
        *(name for name in find_namespace_packages("client") if name != "paymesh"),
    ],
    package_dir={
        "paymesh": "stubs/paymesh",
        "paymesh.client": "client/paymesh/client",
        "buf": "stubs/buf",
        "ext_authz": "stubs/ext_authz",
    },
)
