"""What Adyen's libraries publish as rightly signed: see README.md."""

from typing import Any

# Each: what it shows, the key, the item without `additionalData`, the signature.
_PYTHON = (
    "44782DEF547AAA06C910C43932B1EB0C"  # pragma: allowlist secret
    "71FC68D9D0C057550C48EC2ACF6BA056"  # pragma: allowlist secret
)
_SLASHES = (
    "74F490DD33F7327BAECC88B2947C011F"  # pragma: allowlist secret
    "C02D014A473AAA33A8EC93E4DC069174"  # pragma: allowlist secret
)
_NODE = (
    "DFB1EB5485895CFA84146406857104AB"  # pragma: allowlist secret
    "B4CBCABDC8AAF103A624C8F6A3EAAB00"  # pragma: allowlist secret
)
_JAVA = (
    "9064450A8892A093D9E97EFCC9639DE3"  # pragma: allowlist secret
    "1B74F3A7803135555A3C96F5A57915D6"  # pragma: allowlist secret
)
_PLATFORM = (
    "D7DD5BA6146493707BF0BE7496F6404E"  # pragma: allowlist secret
    "C7A63616B7158EC927B9F54BB436765F"  # pragma: allowlist secret
)

ITEMS: list[tuple[str, str, dict[str, Any], str]] = [
    (
        "python-plain",
        _PYTHON,
        {
            "pspReference": "7914073381342284",
            "merchantReference": "TestPayment-1407325143704",
            "merchantAccountCode": "TestMerchant",
            "amount": {"currency": "EUR", "value": 1130},
            "eventCode": "AUTHORISATION",
            "success": "true",
            "eventDate": "2019-05-06T17:15:34.121+02:00",
            "operations": ["CANCEL", "CAPTURE", "REFUND"],
            "paymentMethod": "visa",
        },
        "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=",  # pragma: allowlist secret
    ),
    (
        "python-backslash",
        _SLASHES,
        {
            "amount": {"currency": "EUR", "value": 1000},
            "eventCode": "AUTHORISATION",
            "eventDate": "2023-01-09T16:27:29+01:00",
            "merchantAccountCode": "AntoniStroinski",
            "merchantReference": "\\\\slashes are fun",
            "operations": ["CANCEL", "CAPTURE", "REFUND"],
            "paymentMethod": "visa",
            "pspReference": "T7FD4VM4D3RZNN82",
            "reason": "076181:1111:03/2030",
            "success": "true",
        },
        "nIgT81gaB5oJpn2jPXupDq68iRo2wUlBsuYjtYfwKqo=",  # pragma: allowlist secret
    ),
    (
        "python-colon",
        _SLASHES,
        {
            "amount": {"currency": "EUR", "value": 1000},
            "eventCode": "AUTHORISATION",
            "eventDate": "2023-01-10T13:40:54+01:00",
            "merchantAccountCode": "AntoniStroinski",
            "merchantReference": ":slashes are fun",
            "operations": ["CANCEL", "CAPTURE", "REFUND"],
            "paymentMethod": "visa",
            "pspReference": "M8NB66SBZSGLNK82",
            "reason": "039404:1111:03/2030",
            "success": "true",
        },
        "2EQYm7YJpKO4EtHSPu55SQTyWf8dkW5u2nD1tJFpViA=",  # pragma: allowlist secret
    ),
    (
        "python-forwardslash",
        _SLASHES,
        {
            "amount": {"value": 1000, "currency": "EUR"},
            "reason": "087330:1111:03/2030",
            "success": "true",
            "eventCode": "AUTHORISATION",
            "eventDate": "2023-01-10T13:37:30+01:00",
            "operations": ["CANCEL", "CAPTURE", "REFUND"],
            "pspReference": "X3GWNS6KJ8NKGK82",
            "paymentMethod": "visa",
            "merchantReference": "//slashes are fun",
            "merchantAccountCode": "AntoniStroinski",
        },
        "9Z0xdpG9Xi3zcmXv14t/BvMBut77O/Xq9D4CQXSDUi4=",  # pragma: allowlist secret
    ),
    (
        "python-mixed",
        _SLASHES,
        {
            "amount": {"currency": "EUR", "value": 1000},
            "eventCode": "AUTHORISATION",
            "eventDate": "2023-01-10T13:42:29+01:00",
            "merchantAccountCode": "AntoniStroinski",
            "merchantReference": "\\:/\\/slashes are fun",
            "operations": ["CANCEL", "CAPTURE", "REFUND"],
            "paymentMethod": "visa",
            "pspReference": "ZVWN7D3WSMK2WN82",
            "reason": "052095:1111:03/2030",
            "success": "true",
        },
        "CZErGCNQaSsxbaQfZaJlakqo7KPP+mIa8a+wx3yNs9A=",  # pragma: allowlist secret
    ),
    (
        "node-capture",
        _NODE,
        {
            "pspReference": "pspReference",
            "originalReference": "originalReference",
            "merchantAccountCode": "merchantAccount",
            "merchantReference": "reference",
            "amount": {"currency": "EUR", "value": 1000},
            "eventCode": "CAPTURE",
            "eventDate": "1970-01-01T00:00:00.000Z",
            "paymentMethod": "VISA",
            "reason": "reason",
            "success": "true",
        },
        "xhpHvYq2u2Np0rstbZ6QjLGu7JWhvf7Iwaa6EviJSX0=",  # pragma: allowlist secret
    ),
    (
        "java-unknown-code",
        _NODE,
        {
            "pspReference": "pspReference",
            "originalReference": "originalReference",
            "merchantAccountCode": "merchantAccount",
            "merchantReference": "reference",
            "amount": {"currency": "EUR", "value": 1000},
            "eventCode": "EVENT",
            "success": True,
        },
        "ipnxGCaUZ4l8TUW75a71/ghd2Fe5ffvX0pV4TLTntIc=",  # pragma: allowlist secret
    ),
    (
        "java-report",
        _JAVA,
        {
            "amount": {"currency": "EUR", "value": "0"},
            "eventCode": "REPORT_AVAILABLE",
            "eventDate": "2019-11-20T14:35:36+01:00",
            "merchantAccountCode": "Magento2Rik",
            "merchantReference": "testMerchantRef1",
            "pspReference": "test_REPORT_AVAILABLE",
            "reason": "will contain the url to the report",
            "success": "true",
        },
        "NuEkADFmlCC6VgX+wcoPAegIWxVPNBPCuKlM4Hzo5qc=",  # pragma: allowlist secret
    ),
]

# Of the scheme for platforms: what it shows, the key, the body, the signature.
BODIES: list[tuple[str, str, bytes, str]] = [
    (
        "python-merchant-created",
        _PYTHON,
        b"\n"
        b"        {\n"
        b'            "type": "merchant.created",\n'
        b'            "environment": "test",\n'
        b'            "createdAt": "01-01-2024",\n'
        b'            "data": {\n'
        b'                "capabilities": {\n'
        b'                    "sendToTransferInstrument": {\n'
        b'                        "requested": true,\n'
        b'                        "requestedLevel": "notApplicable"\n'
        b"                    }\n"
        b"                },\n"
        b'                "companyId": "YOUR_COMPANY_ID",\n'
        b'                "merchantId": "YOUR_MERCHANT_ACCOUNT",\n'
        b'                "status": "PreActive"\n'
        b"            }\n"
        b"        }\n"
        b"        ",
        "fX74xUdztFmaXAn3IusMFFUBUSkLmDQUK0tm8xL6ZTU=",  # pragma: allowlist secret
    ),
    (
        "java-sweep-updated",
        _PLATFORM,
        b'{"data":{"balancePlatform":"Integration_tools_test","accountId":"BA32272223222H5'
        b'HVKTBK4MLB","sweep":{"id":"SWPC42272223222H5HVKV6H8C64DP5","schedule":{"type":"b'
        b'alance"},"status":"active","targetAmount":{"currency":"EUR","value":0},"triggerA'
        b'mount":{"currency":"EUR","value":0},"type":"pull","counterparty":{"balanceAccoun'
        b'tId":"BA3227C223222H5HVKT3H9WLC"},"currency":"EUR"}},"environment":"test","type"'
        b':"balancePlatform.balanceAccountSweep.updated"}',
        "9Qz9S/0xpar1klkniKdshxpAhRKbiSAewPpWoxKefQA=",  # pragma: allowlist secret
    ),
]
