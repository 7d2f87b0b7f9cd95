"""All sagas, by kind."""

from collections.abc import Mapping

from payment_svc.sagas.engine import Saga
from payment_svc.sagas.pay_in import PAY_IN
from payment_svc.sagas.settle import SETTLE

SAGAS: Mapping[str, Saga] = {saga.kind: saga for saga in (PAY_IN, SETTLE)}
