"""All sagas, by kind; and which of them an accepted payment begins with."""

from collections.abc import Mapping

from payment_svc.domain.payment import CaptureMethod
from payment_svc.sagas.authorize import AUTHORIZE
from payment_svc.sagas.capture import CAPTURE
from payment_svc.sagas.journey import Saga
from payment_svc.sagas.late_success import LATE_SUCCESS
from payment_svc.sagas.pay_in import PAY_IN
from payment_svc.sagas.settle import SETTLE
from payment_svc.sagas.void import EXPIRE, VOID

SAGAS: Mapping[str, Saga] = {
    saga.kind: saga for saga in (PAY_IN, SETTLE, AUTHORIZE, CAPTURE, VOID, EXPIRE, LATE_SUCCESS)
}
FIRST: Mapping[CaptureMethod, Saga] = {
    CaptureMethod.AUTOMATIC: PAY_IN,
    CaptureMethod.MANUAL: AUTHORIZE,
}
