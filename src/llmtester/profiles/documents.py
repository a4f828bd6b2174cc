"""Documents of an office, about a page each, with facts that are known because they were put there.

Ten kinds in turn. Everything is made from word lists and a seed: equal seeds give equal documents on every Python. Each
document holds what could be mistaken for the facts that are asked for: other dates, other sums, other people.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal, TypeAlias

from llmtester.profiles.prose import seeded, sentences
from llmtester.profiles.vocabulary import FIRST_NAMES, LAST_NAMES, SUBJECTS

FactKind: TypeAlias = Literal["text", "number", "date"]
FACTS_COUNT = 4

_TOWNS = ("Alder Brook", "Cold Harbour", "Easterley", "Fenwick", "Millbridge", "Norbury", "Southmere", "Thornbury")
_TRADES = ("Bakery", "Bindery", "Boatyard", "Foundry", "Joinery", "Nursery", "Orchards", "Pottery", "Tannery")
_DEPARTMENTS = ("Accounts", "Dispatch", "Laboratory", "Maintenance", "Purchasing", "Sales", "Warehouse")
_MACHINES = ("north press", "label printer", "cold store", "packing line", "east crane", "boiler two", "band saw")
_CAUSES = ("a worn bearing", "a loose cable", "a blocked filter", "a cracked seal", "a stuck valve", "a tired battery")
_SERVICES = ("billing", "catalogue", "mailer", "search", "storage", "tickets")
_FAILURES = ("disk full", "connection refused", "lease expired", "checksum mismatch", "queue overflow")
_STATES = ("delivered", "in transit", "lost", "returned", "waiting")
_ROOMS = ("the green room", "the old library", "room 12", "the attic", "the canteen", "room 4 B")


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is asked for: its key in the answer, what it is in words, and the right value.

    Dates are written ``2031-04-09``, numbers without a unit.
    """

    key: str
    meaning: str
    value: str
    kind: FactKind = "text"


@dataclass(frozen=True, slots=True)
class Document:
    kind: str
    text: str
    facts: tuple[Fact, ...]


class _Draw:
    """Choices from one seed; only ``Random.random`` is used, whose sequence Python promises to keep."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._prose = sentences(random)

    def below(self, limit: int) -> int:
        return int(self._random.random() * limit)

    def between(self, low: int, high: int) -> int:
        return low + self.below(high - low + 1)

    def one(self, items: Sequence[str]) -> str:
        return items[self.below(len(items))]

    def some(self, items: Sequence[str], count: int) -> list[str]:
        """Different items, in the order in which they were drawn."""
        left = list(items)
        return [left.pop(self.below(len(left))) for _ in range(count)]

    def person(self) -> str:
        return f"{self.one(FIRST_NAMES)} {self.one(LAST_NAMES)}"

    def people(self, count: int) -> list[str]:
        """Different people with different names in both places."""
        pairs = zip(self.some(FIRST_NAMES, count), self.some(LAST_NAMES, count), strict=True)
        return [f"{first} {last}" for first, last in pairs]

    def company(self) -> str:
        return f"{self.one(LAST_NAMES)} {self.one(_TRADES)}"

    def dates(self, count: int) -> list[str]:
        """Different days of one year."""
        year = self.between(2027, 2034)
        days = self.some([f"{month:02d}-{day:02d}" for month in range(1, 13) for day in range(1, 29)], count)
        return [f"{year}-{day}" for day in days]

    def goods(self, count: int) -> list[str]:
        return self.some(SUBJECTS[self.below(len(SUBJECTS))].things, count)

    def prose(self, count: int) -> str:
        return " ".join(next(self._prose).strip() for _ in range(count))


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _invoice(draw: _Draw) -> tuple[str, tuple[Fact, ...]]:
    seller, buyer = draw.company(), draw.company()
    number = f"{draw.between(20, 39)}-{draw.between(1000, 9999)}"
    issued, due, ordered = draw.dates(3)
    issued, due = sorted((issued, due))
    lines, total = [], 0
    for good in draw.goods(5):
        count, cents = draw.between(2, 40), draw.between(150, 9900)
        total += count * cents
        lines.append(f"{good:<14} {count:>4} pieces at {_money(cents):>7}   {_money(count * cents):>10}")
    text = (
        f"INVOICE\n{seller}, {draw.between(1, 99)} Mill Lane, {draw.one(_TOWNS)}\n\nInvoice number: {number}\n"
        f"Your order of {ordered}\nDate of this invoice: {issued}\nFor: {buyer}\n\n"
        + "\n".join(lines)
        + f"\n\nTotal to pay: {_money(total)}\nPlease pay until {due}.\n\n{draw.prose(4)}"
    )
    return text, (
        Fact("invoice_number", "the number of the invoice", number),
        Fact("customer", "the company that has to pay", buyer),
        Fact("total", "the total to pay", _money(total), "number"),
        Fact("due_date", "the day until which to pay", due, "date"),
    )


def _mail(draw: _Draw) -> tuple[str, tuple[Fact, ...]]:
    sender, reader, other = draw.people(3)
    sent, meeting, old = draw.dates(3)
    room, hour = draw.one(_ROOMS), draw.between(8, 17)
    text = (
        f"From: {sender}\nTo: {reader}\nSent: {sent}\nSubject: another day for our meeting\n\n"
        f"Dear {reader.split()[0]},\n\n{draw.prose(5)}\n\nThe meeting of {old} cannot take place, because "
        f"{other} is away. I suggest {meeting} at {hour}:00 in {room} instead. Please bring the list of "
        f"{draw.one(_DEPARTMENTS).lower()}.\n\n{draw.prose(5)}\n\nKind regards\n{sender}"
    )
    return text, (
        Fact("sender", "who wrote the mail", sender),
        Fact("new_date", "the new day of the meeting", meeting, "date"),
        Fact("hour", "the hour at which it begins, as a number", str(hour), "number"),
        Fact("room", "the room of the meeting", room),
    )


def _report(draw: _Draw) -> tuple[str, tuple[Fact, ...]]:
    author, mechanic = draw.people(2)
    machine, other = draw.some(_MACHINES, 2)
    cause, excluded = draw.some(_CAUSES, 2)
    happened, written = sorted(draw.dates(2))
    minutes = draw.between(15, 400)
    text = (
        f"REPORT OF A FAILURE\nWritten by {author} on {written}\n\n{draw.prose(4)}\n\n"
        f"On {happened} the {machine} stopped in the middle of a shift. First {excluded} was suspected, as had "
        f"happened to the {other} before, but that was not it: the cause was {cause}. {mechanic} repaired it. The "
        f"standstill lasted {minutes} minutes.\n\n{draw.prose(6)}"
    )
    return text, (
        Fact("machine", "the machine that stopped", machine),
        Fact("date", "the day on which it stopped", happened, "date"),
        Fact("cause", "the true cause", cause),
        Fact("minutes", "how many minutes the standstill lasted", str(minutes), "number"),
    )


def _log(draw: _Draw) -> tuple[str, tuple[Fact, ...]]:
    day = draw.dates(1)[0]
    place, lines = draw.between(4, 11), []
    failed, reason = draw.one(_SERVICES), draw.one(_FAILURES)
    minute, code = 0, draw.between(100, 999)
    for index in range(16):
        minute += draw.between(1, 5)
        stamp = f"{day} {6 + minute // 60:02d}:{minute % 60:02d}"
        if index == place:
            lines.append(f"{stamp} ERROR {failed} job {code} failed: {reason}")
            at = stamp[-5:]
        else:
            number, took = draw.between(100, 999), draw.between(20, 900)
            lines.append(f"{stamp} INFO  {draw.one(_SERVICES)} job {number} done in {took} ms")
    return "\n".join(lines), (
        Fact("service", "the service whose job failed", failed),
        Fact("job", "the number of the job that failed", str(code), "number"),
        Fact("reason", "why it failed", reason),
        Fact("time", "the time of the failure, as hours:minutes", at),
    )


def _table(draw: _Draw) -> tuple[str, tuple[Fact, ...]]:
    goods, amounts = draw.goods(9), draw.some([str(number) for number in range(11, 400)], 9)
    towns = [draw.one(_TOWNS) for _ in goods]
    asked = draw.below(9)
    largest = max(range(9), key=lambda index: int(amounts[index]))
    rows = [f"| {good} | {amount} | {town} |" for good, amount, town in zip(goods, amounts, towns, strict=True)]
    text = "Stock at the end of the month\n\n| item | pieces | place |\n|---|---|---|\n" + "\n".join(rows)
    return f"{text}\n\n{draw.prose(5)}", (
        Fact("pieces", f"how many pieces of the item {goods[asked]} there are", amounts[asked], "number"),
        Fact("place", f"the place of the item {goods[asked]}", towns[asked]),
        Fact("most", "the item with the most pieces", goods[largest]),
        Fact("last_item", "the item in the last row", goods[-1]),
    )


def _minutes(draw: _Draw) -> tuple[str, tuple[Fact, ...]]:
    chair, clerk, buyer, guest = draw.people(4)
    held, following = sorted(draw.dates(2))
    good = draw.goods(1)[0]
    budget = draw.between(20, 900) * 10
    text = (
        f"MINUTES of the meeting on {held}\nIn the chair: {chair}. Minutes: {clerk}. Guest: {guest}.\n\n"
        f"1. {draw.prose(4)}\n\n2. The {good} has to be replaced. {buyer} buys a new one and may spend up to {budget} "
        f"for it.\n\n3. {draw.prose(4)}\n\n4. The next meeting is on {following}; {guest} will not be there."
    )
    return text, (
        Fact("chair", "who was in the chair", chair),
        Fact("buyer", f"who buys the new {good}", buyer),
        Fact("budget", "how much may be spent", str(budget), "number"),
        Fact("next_meeting", "the day of the next meeting", following, "date"),
    )


def _delivery(draw: _Draw) -> tuple[str, tuple[Fact, ...]]:
    numbers = [f"{letter}{draw.between(10000, 99999)}" for letter in draw.some("ABCDEFGHKLMNPR", 7)]
    states, days = [draw.one(_STATES) for _ in numbers], draw.dates(7)
    weights = draw.some([_money(cents) for cents in range(250, 4000, 35)], 7)
    asked, heavy = draw.below(7), max(range(7), key=lambda index: float(weights[index]))
    rows = [",".join(row) for row in zip(numbers, days, weights, states, strict=True)]
    return "parcel,sent,weight_kg,state\n" + "\n".join(rows) + f"\n\nRemarks: {draw.prose(6)}", (
        Fact("state", f"the state of parcel {numbers[asked]}", states[asked]),
        Fact("sent", f"the day on which parcel {numbers[asked]} was sent", days[asked], "date"),
        Fact("weight", f"the weight of parcel {numbers[asked]} in kg", weights[asked], "number"),
        Fact("heaviest", "the number of the heaviest parcel", numbers[heavy]),
    )


def _application(draw: _Draw) -> tuple[str, tuple[Fact, ...]]:
    name, boss = draw.people(2)
    department, before = draw.some(_DEPARTMENTS, 2)
    town, years = draw.one(_TOWNS), draw.between(2, 25)
    start, written = draw.dates(2)
    company = draw.company()
    text = (
        f"{name}\n{draw.one(_TOWNS)}, {written}\n\nTo {boss}, {draw.company()}\n\n"
        f"Application for a place in {department}\n\n{draw.prose(4)}\n\nFor {years} years I have worked in "
        f"{before} at {company} in {town}. {draw.prose(4)}\n\nI could begin on {start}.\n\nYours sincerely\n{name}"
    )
    return text, (
        Fact("applicant", "who applies", name),
        Fact("department", "the department in which a place is wanted", department),
        Fact("years", "years of work so far", str(years), "number"),
        Fact("start", "the first possible day of work", start, "date"),
    )


def _complaint(draw: _Draw) -> tuple[str, tuple[Fact, ...]]:
    customer = draw.person()
    good, received = draw.goods(2)
    order, bought = draw.between(100_000, 999_999), draw.dates(1)[0]
    cents = draw.between(900, 40_000)
    text = (
        f"Complaint about order {order}\n\nDear Sir or Madam,\n\n{draw.prose(4)}\n\nOn {bought} I bought a {good} from "
        f"you for {_money(cents)}. What came was a {received}, for which I have no use. {draw.prose(5)}\n\n"
        f"Please send me what I ordered, or the money.\n\n{customer}"
    )
    return text, (
        Fact("order", "the number of the order", str(order), "number"),
        Fact("ordered", "the thing that was ordered", good),
        Fact("received", "the thing that came instead", received),
        Fact("price", "the price that was paid", _money(cents), "number"),
    )


def _measurement(draw: _Draw) -> tuple[str, tuple[Fact, ...]]:
    tester = draw.person()
    day, calibrated = draw.dates(2)
    values = [draw.between(180, 260) / 10 for _ in range(8)]
    limit, sample = draw.between(262, 290) / 10, f"S-{draw.between(100, 999)}"
    too_high = draw.below(8)
    values[too_high] = limit + draw.between(3, 30) / 10
    lines = [f"reading {index + 1}: {value:.1f} mm" for index, value in enumerate(values)]
    text = (
        f"Protocol of a measurement\nSample {sample}, measured on {day} by {tester}\nGauge calibrated on {calibrated}\n"
        f"Upper limit: {limit:.1f} mm\n\n" + "\n".join(lines) + f"\n\n{draw.prose(6)}"
    )
    return text, (
        Fact("sample", "the name of the sample", sample),
        Fact("tester", "who measured", tester),
        Fact("reading", "the number of the reading that exceeds the upper limit", str(too_high + 1), "number"),
        Fact("value", "the value of that reading in mm", f"{values[too_high]:.1f}", "number"),
    )


KINDS: dict[str, Callable[[_Draw], tuple[str, tuple[Fact, ...]]]] = {
    "invoice": _invoice,
    "mail": _mail,
    "report": _report,
    "log": _log,
    "table": _table,
    "minutes": _minutes,
    "delivery": _delivery,
    "application": _application,
    "complaint": _complaint,
    "measurement": _measurement,
}


def document(seed: int, number: int) -> Document:
    """The document of that number; kinds take turns. ``seed`` must already be mixed for its purpose."""
    kind = tuple(KINDS)[number % len(KINDS)]
    text, facts = KINDS[kind](_Draw(seeded(seed)))
    return Document(kind, text, facts)
