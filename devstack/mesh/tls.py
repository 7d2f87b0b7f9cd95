"""Mutual TLS of Envoy: 1.3 alone, HTTP/2 alone, certificates from files that may change."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.mesh.secret_folder import CERTIFICATE, KEY, ROOTS

Json = dict[str, Any]

_EXTENSION = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3."
_ONLY_1_3 = {
    "tls_minimum_protocol_version": "TLSv1_3",
    "tls_maximum_protocol_version": "TLSv1_3",
}
_CERTIFICATE_FILE, _ROOTS_FILE = "certificate.yaml", "roots.yaml"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who Envoy is: its SPIFFE id, and the folder with the files of `secret_files`."""

    spiffe_id: str
    secrets: Path


def secret_files(folder: Path) -> Mapping[str, str]:
    """Write the files by which Envoy finds a certificate and whom to trust in a folder such as
    Kubernetes mounts: when the link `..data` is moved in there, Envoy reads anew.

    One secret per file: two in one are refused, and only once Envoy runs.
    """
    watched = {"watched_directory": {"path": str(folder)}}
    certificate = {
        "certificate_chain": {"filename": str(folder / CERTIFICATE)},
        "private_key": {"filename": str(folder / KEY)},
    }
    roots = {"trusted_ca": {"filename": str(folder / ROOTS)}}
    return {
        _CERTIFICATE_FILE: _secret("certificate", {"tls_certificate": {**certificate, **watched}}),
        _ROOTS_FILE: _secret("roots", {"validation_context": {**roots, **watched}}),
    }


def client_socket(identity: Identity, server: str) -> Json:
    """Call as `identity` the one server that has the SPIFFE id `server`."""
    return _socket(
        "Upstream",
        {"common_tls_context": _common(identity, {"exact": server}), "max_session_keys": 0},
    )


def server_socket(identity: Identity, clients: str) -> Json:
    """Serve as `identity` whoever has a certificate with a SPIFFE id that begins with `clients`."""
    return _socket(
        "Downstream",
        {
            "common_tls_context": _common(identity, {"prefix": clients}),
            "require_client_certificate": True,
            # A session that is taken up again would outlive the certificate it began with.
            "disable_stateless_session_resumption": True,
            "disable_stateful_session_resumption": True,
        },
    )


def public_socket(secrets: Path) -> Json:
    """Serve clients who have no certificate; ours is that of `secret_files` in `secrets`."""
    common = {
        "tls_params": _ONLY_1_3,
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificate_sds_secret_configs": [
            _reference("certificate", secrets / _CERTIFICATE_FILE)
        ],
    }
    return _socket("Downstream", {"common_tls_context": common})


def _socket(side: str, content: Json) -> Json:
    return {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {"@type": f"{_EXTENSION}{side}TlsContext", **content},
    }


def _common(identity: Identity, peer: Json) -> Json:
    return {
        "tls_params": _ONLY_1_3,
        "alpn_protocols": ["h2"],
        "tls_certificate_sds_secret_configs": [
            _reference("certificate", identity.secrets / _CERTIFICATE_FILE)
        ],
        "combined_validation_context": {
            "default_validation_context": {
                "match_typed_subject_alt_names": [{"san_type": "URI", "matcher": peer}]
            },
            "validation_context_sds_secret_config": _reference(
                "roots", identity.secrets / _ROOTS_FILE
            ),
        },
    }


def _reference(name: str, file: Path) -> Json:
    source = {"path_config_source": {"path": str(file)}, "resource_api_version": "V3"}
    return {"name": name, "sds_config": source}


def _secret(name: str, content: Json) -> str:
    secret = {"@type": f"{_EXTENSION}Secret", "name": name, **content}
    return json.dumps({"resources": [secret]}, indent=2)
