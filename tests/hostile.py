"""What who means harm sends: paths, headers that only the mesh may set, and floods of frames."""

from tests.raw_http import DATA, PING, PRIORITY, SETTINGS, WINDOW_UPDATE, frame

# What is answered without a key, and with one.
PATHS = {
    # Spellings of the one path; whoever checks it and whoever serves it read the same.
    "//v1//payments//pay_1": (401, 200),
    "/v1/payments/x/../pay_1": (401, 200),
    "/openapi.json/../v1/payments/pay_1": (401, 200),
    "/v1/webhooks/stripe/../../payments/pay_1": (401, 200),
    "/v1/webhooks/..;/payments/pay_1": (401, 200),
    "/../../v1/payments/pay_1": (401, 200),
    "/v1\\payments\\pay_1": (401, 200),
    "/v1/payments/pay%5f1": (401, 200),
    # Others, or none.
    "/v1/payments/..%2f..%2fopenapi.json": (400, 400),
    "/v1/webhooks/stripe%2f..%2f..%2fpayments%2fpay_1": (400, 400),
    "/v1/payments%2fpay_1": (400, 400),
    "/v1/payments%5cpay_1": (400, 400),
    "/v1/payments/pay_%00": (400, 400),
    "/v1/payments/pay_1#x": (400, 400),
    "/v1/payments/pay_\xff": (400, 400),
    "/v1/payments/pay_%ff": (401, 400),
    "/v1/payments?page_token=%ff": (401, 400),
    "/v1/payments/pay_1;a=b": (401, 400),
    "/v1/payments/pay_1%0d%0ax": (401, 400),
    "/v1/payments/pay_1/": (401, 404),
    "/V1/payments/pay_1": (404, 404),
    "/v1/payments/%2e%2e/%2e%2e/grpc.health.v1.Health/Check": (404, 404),
}


FORGED = {
    "x-paymesh-client-id": "evil",
    "x-paymesh-identity": "spiffe://paymesh.local/ns/paymesh/sa/payment_svc",
    "x-paymesh-operator": "spiffe://paymesh.local/operator/evil",
    "x-paymesh-actor": "evil",
    "x-paymesh-service": "ledger_svc",
    "x-forwarded-client-cert": "URI=spiffe://evil",
    "x-forwarded-host": "evil.example",
    "x-envoy-original-path": "/evil",
    "x-envoy-fault-abort-grpc-request": "14",
    "x-envoy-retry-on": "5xx",
    "x-envoy-upstream-rq-timeout-ms": "1",
    "x-request-id": "evil",
    "x-http-method-override": "DELETE",
    "x-http-method": "DELETE",
    "x-method-override": "DELETE",
    "x-original-url": "/evil",
    "x-rewrite-url": "/evil",
    "x-evil-bin": "ZXZpbA==",
    "grpc-timeout": "1n",
}


FLOODS = {
    "pings": [frame(PING, b"12345678")] * 300_000,
    "settings": [frame(SETTINGS)] * 300_000,
    "empty data": [frame(DATA, stream=1)] * 100,
    "priorities": [frame(PRIORITY, b"\0\0\0\0\1", stream=1)] * 2000,
    "windows": [frame(WINDOW_UPDATE, b"\0\0\0\1", stream=1)] * 2000,
}


MALFORMED = {
    "a line break in a value": {"x-a": "b\r\nx-paymesh-client-id: evil"},
    "capitals in a name": {"X-A": "b"},
    "an encoding": {"transfer-encoding": "chunked"},
    "a connection's header": {"connection": "keep-alive"},
}
