"""A question of a task, with the answer that is right."""

from __future__ import annotations

from typing import NamedTuple


class Asked(NamedTuple):
    """One request of the traffic.

    Attributes:
        system: the task, as the application words it.
        text: what somebody wrote.
        gold: the answer that is right.
        wording: the template it was made from, to keep what is learned from apart from what is new.
    """

    system: str
    text: str
    gold: str
    wording: str

    @property
    def messages(self) -> list[dict[str, str]]:
        """As a client sends them."""
        return [{"role": "system", "content": self.system}, {"role": "user", "content": self.text}]


def filled(wording: str, **parts: str) -> str:
    """A wording with its parts; the first letter is a capital one, as a person would write it."""
    text = wording.format(**parts)
    return text[:1].upper() + text[1:]
