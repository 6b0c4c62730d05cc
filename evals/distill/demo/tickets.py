"""Messages to a nursery that sends plants by post, and the desk that each belongs to: a closed set of answers.

Most messages carry more than their matter: a greeting, a plant, an order number, and in four of ten an aside about
something that another desk has settled, in that desk's own words. So the words of two desks often stand side by side.
"""

from __future__ import annotations

from random import Random
from typing import Final, NamedTuple

from evals.distill.demo.asked import Asked, filled


class Desk(NamedTuple):
    """What people write to one desk: ``wordings`` are learned from, ``held_back`` never, ``aside`` is long settled."""

    wordings: tuple[str, ...]
    held_back: tuple[str, ...]
    aside: tuple[str, ...]


def _desk(wordings: str, held_back: str, aside: str) -> Desk:
    """One sentence a line."""
    learned, kept, settled = (tuple(text.strip().split("\n")) for text in (wordings, held_back, aside))
    return Desk(learned, kept, settled)


# {p} a plant, {o} an order number, {w} a time, {c} a place
DESKS: Final[dict[str, Desk]] = {
    "address": _desk(
        """
we have moved, so order {o} must go to {c} now
please send the {p} to my office in {c} instead of home
the street on order {o} is spelled wrongly, it is in {c}
can the {p} be left with the neighbours in {c}?
I typed our old house number for order {o}
from {w} on we live in {c}, would you note that down?
deliver to the back gate, not to the front, it is the farm outside {c}
my parents in {c} should get the {p}, not me
could the courier ring at number nine, the one with the green door in {c}?
the postcode I gave for {o} belongs to another town
send everything to our summer house near {c} until further notice
I am in hospital, so please let my sister in {c} take the {p}
the flat number is missing on {o}, it is the third floor
new surname on the bell since the wedding, the street in {c} is the same
can you still reroute {o} to a pick-up shop in {c}?
my profile still shows the old town instead of {c}
""",
        """
the label on {o} names a town that we left years ago
change where the {p} goes, we are in {c} until autumn
""",
        """
Our new house in {c} is all settled by now.
Thank you for noting down the new street.
""",
    ),
    "arrival": _desk(
        """
where is my {p}? You said {w}
order {o} has not come yet
I have been waiting for the {p} since {w}
the tracking of {o} has said the same for days
nobody rang, nothing is at the door, and it is past {w}
when will the {p} be here?
the courier claims that {o} was handed over, but we have nothing
it was meant to reach {c} {w}, and there is still no sign of it
is the {p} on its way at all?
we stayed at home {w} and no van came
you wrote that {o} left the nursery, how long does it take to {c}?
it has been nine days now without the {p}
has my parcel been lost?
the message said it was delivered, the doorstep says otherwise
I need the {p} for a birthday, will it still be on time?
the depot in {c} knows nothing of {o}
""",
        """
any news of the parcel? {w} has come and gone
the van drove past our door in {c} without stopping
""",
        """
The parcel itself came on time.
The courier was quick, I must say.
""",
    ),
    "cancel": _desk(
        """
please stop order {o} before it leaves
I do not want the {p} any more
take the {p} off my order, the rest may stay
we changed our minds about {o}
I pressed the button twice, so one of the two orders can go
end my subscription to the seasonal box
is it too late to withdraw {o}?
do not pack the {p}, we found one in {c}
kindly scrap {o}, we are going abroad
I would like to step back from buying the {p}
leave out the {p} and send only the pots
please delete the order that I placed {w}
my husband bought the same {p}, so yours is not needed
we no longer wish to receive a box each season
hold {o} back, we will not take it
I ordered the {p} by mistake, do not send it
""",
        """
call off whatever is planned for {w} under {o}
no more boxes for us, please, {w} was the last
""",
        """
I ended the seasonal box last year, no regrets.
The order I withdrew in spring was handled well.
""",
    ),
    "care": _desk(
        """
how often should I water the {p}?
the leaves of my {p} turn yellow, what does it lack?
can the {p} stay outside in winter near {c}?
when do I cut back the {p}?
does the {p} want sun or shade?
there are small white flies on the {p}, what helps?
which soil do you advise for a {p} in a pot?
my {p} has not flowered for two summers
what do I feed a {p} with?
should the {p} be repotted {w} or later?
how tall does a {p} grow?
brown spots have come up on the {p}, is that a fungus?
may I plant the {p} next to the house wall?
the {p} hangs its head although the soil is wet
can a {p} live in clay soil as we have it in {c}?
how do I bring the {p} through the frost?
""",
        """
is it normal that the {p} drops its buds {w}?
would feeding the {p} once a month be too much?
""",
        """
The ferns do well, by the way, with little water.
Your advice on pruning was a great help.
""",
    ),
    "damage": _desk(
        """
the {p} arrived with a broken stem
half of the pots in {o} are in pieces
the box was soaked and the {p} is rotten
there is hardly any soil left around the {p}, all of it is in the box
the {p} looks as if somebody had stood on the parcel
the roots of the {p} are snapped off
frost must have got at {o} on its way, everything is black
the glass of the cloche came cracked
the parcel was crushed and the {p} with it
something has eaten holes into the {p} in the box
the trunk of the {p} is split from top to bottom
we opened {o} and found mould on everything
the {p} came dry as straw, it is past saving
the terracotta of {o} is nothing but shards
all buds of the {p} were knocked off in the parcel
the lid of the propagator has a hole in it
""",
        """
what came out of the box {w} can only go on the compost
every leaf of the {p} was torn when we unpacked it
""",
        """
The pot that was cracked has been replaced, thanks.
Nothing was broken this time, well packed.
""",
    ),
    "login": _desk(
        """
I cannot get into my account
the link to reset the password leads nowhere
your site says that my e-mail is not known
the code for signing in never comes
I am locked out since {w}
how do I change the password?
it logs me out each time I look at order {o}
my wife and I share an account and only she gets in
my password is not accepted any more
please unlock my account
I typed the wrong password too often
the confirmation mail for registering does not arrive
the app asks me to sign in again and again
which user name did I choose {w}?
I want to register, but my address is said to be taken
after the update I am thrown out of my account
""",
        """
the page where one signs in stays white
two attempts and now it wants me to wait until {w}
""",
        """
I did get into my account in the end.
The new password works, that was not it.
""",
    ),
    "mixup": _desk(
        """
I ordered a {p} and got something else
there is a {p} in {o} that we never asked for
the {p} is the red kind, the picture showed white
you packed three where {o} says two
somebody else's order was in our box
the label says {p}, but that is surely none
instead of the tall {p} we received the dwarf one
one bag of bulbs is missing from {o}, two others are double
the colour of the {p} is not what I chose
you sent the {p} twice and forgot the pots
the parcel holds tools, and I bought a {p}
the variety on the tag of the {p} differs from the order
we have a stranger's {p} here, he may have ours
in {o} one article too few and one too many
I asked for seeds and got bulbs
the {p} is far smaller than the size that I ordered
""",
        """
this is a fine {p}, only it belongs to another customer
our list and what lay in the box {w} do not agree
""",
        """
Last time two boxes were swapped, that is long put right.
You even sent the right colour, lovely.
""",
    ),
    "payment": _desk(
        """
my card was charged twice for {o}
can I pay by invoice?
the voucher is not taken off the sum
the checkout refuses my card
I need an invoice with the tax number of our firm in {c}
why do you ask for postage although {o} is over the limit?
the sum on the bill is not that of {o}
do you take payment in two parts for the {p}?
two amounts were taken from my account for one {p}
where do I enter the gift card?
may we transfer the money after the {p} is here?
the receipt for {o} lacks the tax
the discount of ten percent was not reckoned
your shop says that my card has expired, which is not so
please send the bill for {o} once more
what is the fee for paying on delivery in {c}?
""",
        """
the bank shows another amount than {o} does
could the firm in {c} get the bill instead of me?
""",
        """
The bill is paid, in case you wonder.
The voucher worked well.
""",
    ),
    "refund": _desk(
        """
when do I get my money back for {o}?
I sent the {p} back {w} and have heard nothing since
you promised to return the postage
only half of what I paid for {o} came back
the money for the dead {p} is still missing
is the amount paid back to the card or as a voucher?
the return reached you {w}, but my account shows nothing
how long does a repayment take?
I am still waiting for my repayment since {w}
where is the money for the returned {p}?
the credit for {o} never showed up on my statement
you owe me the price of one {p}
please transfer back what I overpaid
I was told that the sum would be returned {w}
do I get the postage back as well if I return the {p}?
my bank sees no credit from you
""",
        """
it is {w} now and what you owe me for {o} is not there
the sum for the {p} should have come back to me
""",
        """
The money of last month came back, thank you.
The repayment in spring took two days only.
""",
    ),
}

SYSTEM: Final = f"Which desk? One word: {', '.join(DESKS)}"

_PLANTS: Final = ("rose", "fern", "lavender", "fig tree", "clematis", "maple", "peony", "olive", "hydrangea",
                  "lemon tree", "magnolia", "wisteria", "orchid", "camellia", "rosemary", "quince")  # fmt: skip
_TIMES: Final = ("last Monday", "this week", "yesterday", "two weeks ago", "at the weekend", "before Easter",
                 "on the third", "in March", "by Friday")  # fmt: skip
_PLACES: Final = ("Ashbrook", "Fernley", "Kirkham", "Larkfield", "Oakmere", "Stonebury", "Thornwick", "Westcombe")
_OPENINGS: Final = ("", "", "Hello, ", "Good morning, ", "Dear nursery, ", "Hi there, ", "Sorry to bother you again, ",
                    "Me again: ", "Short question, ")  # fmt: skip
_ENDINGS: Final = ("", "", "", " Thanks!", " Kind regards.", " Could you look into it?", " We are a little worried.")


def draw(rng: Random, *, held_back: bool = False) -> Asked:
    """One message and its desk. ``held_back`` takes wordings that nobody learns from."""
    desk = rng.choice(sorted(DESKS))
    wording = rng.choice(DESKS[desk].held_back if held_back else DESKS[desk].wordings)
    aside = ""
    if rng.random() < 0.4:
        aside = rng.choice(DESKS[rng.choice([name for name in sorted(DESKS) if name != desk])].aside)
    matter = rng.choice(_OPENINGS) + wording + ("" if wording.endswith("?") else ".")
    parts = [matter, aside] if rng.random() < 0.5 else [aside, matter[:1].upper() + matter[1:]]
    text = filled(
        " ".join(part for part in parts if part) + rng.choice(_ENDINGS),
        p=rng.choice(_PLANTS), o=f"N-{rng.randint(1000, 9999)}", w=rng.choice(_TIMES), c=rng.choice(_PLACES),
    )  # fmt: skip
    return Asked(SYSTEM, text, desk, wording)
