"""Charges that a buyer makes on a page of the PSP's, under faults, crashes and any buyer."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.faults import FaultPoints, InjectedFault
from privacy.masked import Secret
from psp_gateway.domain.attempt import Attempt, Outcome, Stage
from psp_gateway.domain.errors import Refusal
from psp_gateway.use_cases.execute_charges import execute_charge
from psp_gateway.use_cases.look_again import News, look_again
from psp_gateway.use_cases.take_further import Means, Paying
from tests.builders import NOW
from tests.unit.psp_gateway.fake_pages import PAGE, FakePages
from tests.unit.psp_gateway.fakes import FAULTS, FakePsp, FakeStore, FreePassage
from tests.unit.psp_gateway.test_take_further import new_charge

POINTS = ("psp.attempt_stored", "psp.opened", "psp.confirmed", "psp.outcome_stored")


def new_paged() -> Attempt:
    """Make a charge on a page as it is asked."""
    return replace(new_charge(), stage=Stage.OPEN, page_expires_at=PAGE.expires_at)


@dataclass
class Shop:
    """A gateway that can crash, and a buyer who has every address that it ever told."""

    wants_a_word: bool = False
    now: timedelta = timedelta()
    psp: FakePsp = field(default_factory=FakePsp)
    store: FakeStore = field(default_factory=FakeStore)
    told: set[str] = field(default_factory=set)
    pages: FakePages = field(init=False)

    def __post_init__(self) -> None:
        self.pages = FakePages(self.psp, self.wants_a_word)

    def means(self, plan: str = "") -> Means:
        """Make what walking takes."""
        return Means(
            store=self.store,
            providers={"fake": self.psp},
            guards={"fake": FreePassage()},
            clock=lambda: NOW + self.now,
            faults=FaultPoints.parse(plan, "development"),
            pages={"fake": self.pages},
        )

    async def ask(self, plan: str = "") -> Attempt | None:
        """Ask for the attempt; None when the process crashed on the way."""
        paying = Paying(Secret("approval"), ["fake"], PAGE)
        try:
            answer = await execute_charge(self.means(plan), new_paged(), paying)
        except InjectedFault:
            return None
        assert not isinstance(answer, Refusal)
        if answer.redirect_url:
            self.told.add(answer.redirect_url)
        return answer

    def visit(self) -> None:
        """Let the buyer go to every page that he knows of."""
        for url in self.told:
            self.pages.visit(url)

    def charges(self) -> int:
        """Count the charges of the PSP's own record."""
        return self.psp.moved.count(("charge", "att_1"))


async def test_a_page_is_opened_and_paid() -> None:
    """The buyer is sent to it; once he has paid, the attempt has the payment's reference."""
    shop = Shop()
    waiting = await shop.ask()
    shop.visit()
    shop.now += timedelta(seconds=1)
    paid = await shop.ask()

    assert waiting is not None
    assert (waiting.outcome, waiting.stage) == (Outcome.ACTION_REQUIRED, Stage.PAGE)
    assert waiting.redirect_url == "https://psp.example/1"
    assert paid is not None
    assert (paid.outcome, paid.psp_reference) == (Outcome.SUCCEEDED, "pi_of_cs_1")
    assert shop.charges() == 1


async def test_what_the_buyer_agreed_to_is_confirmed() -> None:
    """Where the PSP wants a word more, the money moves by that, once; also hours after."""
    shop = Shop(wants_a_word=True)
    await shop.ask()
    shop.now = timedelta(minutes=59)
    shop.visit()
    paid = await shop.ask()

    assert paid is not None
    assert (paid.outcome, paid.psp_reference) == (Outcome.SUCCEEDED, "cs_1")
    assert shop.charges() == 1


async def test_news_of_an_agreement_is_no_payment() -> None:
    """Looking again learns that the buyer has agreed; the next call confirms it."""
    shop = Shop(wants_a_word=True)
    waiting = await shop.ask()
    assert waiting is not None
    shop.visit()

    news = await look_again(shop.means(), waiting)
    shop.now += timedelta(seconds=1)
    paid = await shop.ask()

    assert news is News.KNOWN
    assert paid is not None
    assert (paid.outcome, shop.charges()) == (Outcome.SUCCEEDED, 1)


async def test_a_page_that_nobody_pays_is_closed() -> None:
    """A minute after its time the PSP is told to close it; that is the end."""
    shop = Shop()
    await shop.ask()
    shop.now = timedelta(hours=1, seconds=59)
    still = await shop.ask()
    shop.now = timedelta(hours=1, seconds=61)
    ended = await shop.ask()
    shop.visit()

    assert still is not None
    assert still.outcome is Outcome.ACTION_REQUIRED
    assert ended is not None
    assert (ended.outcome, ended.reason) == (Outcome.DECLINED, "PAGE_EXPIRED")
    assert shop.charges() == 0


async def test_a_page_paid_at_the_last_moment_is_paid() -> None:
    """Closing finds it paid, and says so."""
    shop = Shop()
    await shop.ask()
    shop.visit()
    shop.now = timedelta(hours=2)
    shop.psp.faults = iter(["error_before"])  # the look-up tells nothing
    await shop.ask()
    shop.now += timedelta(seconds=1)
    paid = await shop.ask()

    assert paid is not None
    assert paid.outcome is Outcome.SUCCEEDED


async def test_a_page_that_was_never_opened_in_its_time_is_over() -> None:
    """Nobody has its address, whatever the PSP made of the requests."""
    shop = Shop()
    shop.psp.faults = iter(["lost"] * 9)
    doubt = await shop.ask()
    shop.psp.faults = iter(())
    shop.now = timedelta(hours=1)
    ended = await shop.ask()

    assert doubt is not None
    assert doubt.outcome is Outcome.UNKNOWN
    assert ended is not None
    assert (ended.outcome, ended.reason) == (Outcome.DECLINED, "PAGE_EXPIRED")


visits = st.lists(
    st.tuples(
        st.sampled_from(["", *(f"{point}=fail@{nth}" for point in POINTS for nth in (1, 2, 3))]),
        st.sampled_from([0.0, 1.0, 60.0, 1800.0, 3700.0]),  # seconds until the visit
        st.booleans(),  # the buyer goes to his pages before it
    ),
    max_size=8,
)


@settings(max_examples=500, deadline=None)
@given(
    faults=st.lists(st.sampled_from(["none", *FAULTS]), max_size=16),
    visits=visits,
    wants_a_word=st.booleans(),
)
async def test_what_is_said_of_a_page_is_true(
    faults: list[str], visits: list[tuple[str, float, bool]], wants_a_word: bool
) -> None:
    """SUCCEEDED means paid once; DECLINED means that no page that anybody knows can be paid any
    more; in the end it is one of the two.
    """
    shop = Shop(wants_a_word)
    shop.psp.faults = iter(faults)
    for plan, wait_s, goes in visits:
        shop.now += timedelta(seconds=wait_s)
        if goes:
            shop.visit()
        answer = await shop.ask(plan)
        assert shop.charges() <= 1
        if answer is not None and answer.outcome is Outcome.SUCCEEDED:
            assert shop.charges() == 1
        if answer is not None and answer.outcome is Outcome.DECLINED:
            shop.visit()
            assert shop.charges() == 0

    shop.psp.faults = iter(())
    shop.psp.carry_out_held()
    shop.now += timedelta(hours=3)
    for _ in range(6):
        shop.now += timedelta(seconds=1)
        last = await shop.ask()

    assert last is not None
    assert last.outcome is (Outcome.SUCCEEDED if shop.charges() else Outcome.DECLINED)
    assert shop.charges() <= 1
