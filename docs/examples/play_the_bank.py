"""Play the bank: take the files of orders out of a folder, and answer with the account's statement.

It prints a request for ImportBankStatement, and books the orders in the PSP sandbox, whose record
is what `paymesh audit` believes. A real bank fetches the files by EBICS or SFTP, carries the orders
out on a later day, and refuses some of them.

    play_the_bank.py FOLDER
"""

import base64
import json
import sys
import time
import urllib.request
from pathlib import Path
from xml.etree import ElementTree

DEADLINE_S = 20
CAMT = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


def taken(folder: Path) -> list[ElementTree.Element]:
    """Wait for files, and take them out of the folder."""
    deadline = time.monotonic() + DEADLINE_S
    while not (paths := sorted(folder.glob("*.xml"))):
        if time.monotonic() > deadline:
            raise SystemExit(f"no file came into {folder} within {DEADLINE_S} s")
        time.sleep(0.1)
    # Our own gateway wrote them: no stranger's XML.
    files = [ElementTree.fromstring(path.read_bytes()) for path in paths]  # noqa: S314
    for path in paths:
        path.unlink()
    return files


def book(sandbox: str, files: list[ElementTree.Element]) -> None:
    """Have the money leave the bank account of the sandbox."""
    for order in (order for file in files for order in file.iterfind(".//{*}CdtTrfTxInf")):
        amount = order.find(".//{*}InstdAmt")
        transfer = {
            "direction": "out",
            "amount": amount.text,
            "currency": amount.get("Ccy"),
            "end_to_end_id": order.findtext(".//{*}EndToEndId"),
        }
        body = json.dumps(transfer).encode()
        url = f"{sandbox}/control/settlement/transfers"
        urllib.request.urlopen(url, body, DEADLINE_S).close()  # noqa: S310 - http, on loopback


def entry(order: ElementTree.Element) -> str:
    """Book an order as a debit."""
    name, amount = order.findtext(".//{*}EndToEndId", ""), order.findtext(".//{*}InstdAmt", "")
    return (
        f'<Ntry><Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>'
        f"<BookgDt><Dt>2026-11-24</Dt></BookgDt><AcctSvcrRef>{name[-24:]}</AcctSvcrRef>"
        "<BkTxCd><Prtry><Cd>166</Cd></Prtry></BkTxCd>"
        f"<NtryDtls><TxDtls><Refs><EndToEndId>{name}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>"
    )


def statement(files: list[ElementTree.Element]) -> str:
    """Write the account's statement, camt.053, in which every order was carried out."""
    account = files[0].findtext(".//{*}DbtrAcct//{*}IBAN")
    orders = [order for file in files for order in file.iterfind(".//{*}CdtTrfTxInf")]
    written = "2026-11-24T18:00:00Z"
    return (
        f'<Document xmlns="{CAMT}"><BkToCstmrStmt><GrpHdr><MsgId>DEMO</MsgId>'
        f"<CreDtTm>{written}</CreDtTm></GrpHdr><Stmt><Id>DEMO</Id><CreDtTm>{written}</CreDtTm>"
        f"<Acct><Id><IBAN>{account}</IBAN></Id><Ccy>EUR</Ccy></Acct>"
        '<Bal><Tp><CdOrPrtry><Cd>OPAV</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">0</Amt>'
        "<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-24</Dt></Dt></Bal>"
        f"{''.join(map(entry, orders))}</Stmt></BkToCstmrStmt></Document>"
    )


if __name__ == "__main__":
    outbox = Path(sys.argv[1])
    found = taken(outbox)
    stack = json.loads((outbox.parent / "stack.json").read_text())
    book(stack["psp_sandbox"]["url"], found)
    content = statement(found).encode()
    print(json.dumps({"content": base64.b64encode(content).decode()}))
