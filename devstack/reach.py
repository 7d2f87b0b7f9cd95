"""How commands reach the services of a running stack: with a mesh by the operators' listener, as
who their certificate says; without one directly, as whoever they say.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from devstack.state import StackError

if TYPE_CHECKING:  # what is heavy is imported when asked for
    import grpc

SERVICE_HEADER = "x-paymesh-service"
_MESSAGE_BYTES_MAX = 16 * 1024 * 1024


def operator_channel(
    stack: Mapping[str, Any], service: str, operator: str = ""
) -> "grpc.aio.Channel":
    """Open a channel to a service of a running stack.

    `operator` names whose certificate is shown; empty: the system user's.

    Raises:
        StackError: he has none.
    """
    import grpc

    options = [("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX)]
    if "operators" not in stack:
        return grpc.aio.insecure_channel(stack["services"][service]["grpc"], options=options)
    certificate, key, roots = _certificate(Path(stack["operators"]["certificates"]), operator)
    credentials = grpc.ssl_channel_credentials(roots, key, certificate)
    return grpc.aio.secure_channel(stack["operators"]["target"], credentials, options=options)


def _certificate(folder: Path, operator: str) -> tuple[bytes, bytes, bytes]:
    from devstack.mesh import secret_folder
    from devstack.mesh.certificates import system_user

    own = folder / (operator or system_user())
    files = (secret_folder.CERTIFICATE, secret_folder.KEY, secret_folder.ROOTS)
    try:
        certificate, key, roots = ((own / name).read_bytes() for name in files)
    except OSError as error:
        raise StackError(
            f"the operator {own.name} has no certificate; `paymesh certs operator {own.name}`"
            " makes one"
        ) from error
    return certificate, key, roots
