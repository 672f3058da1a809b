"""How far an answer speaks of what was asked: one that is full leaves out what would come behind."""

from __future__ import annotations

from collections.abc import Sequence

from platefleet.protocol.messages import EpochCoverage, EpochEnd
from platefleet.protocol.messages.delivery import RANGES_ANSWERED

Asked = tuple[EpochEnd, ...]


def spoken_of(asked: Asked, answer: Sequence[EpochCoverage], most: int = RANGES_ANSWERED) -> tuple[Asked, Asked]:
    """Return the ends up to which each epoch was answered, and the epochs that are still to be asked for.

    These are fewer than were asked, so asking for them ends. An epoch that alone fills an answer is not asked for
    again: its ranges become fewer as the gaps between them are filled. most: ranges that an answer may hold.
    """
    if sum(len(each.covered) for each in answer) < most:
        return asked, ()
    last = {each.epoch: max(end for _, end in each.covered) for each in answer if each.covered}
    cut = max((at for at, end in enumerate(asked) if end.epoch in last), default=None)
    if cut is None:  # an answer to something else
        return (), ()
    epoch = asked[cut]
    whole_until = EpochEnd(epoch=epoch.epoch, last=min(epoch.last, last[epoch.epoch]))
    return (*asked[:cut], whole_until), asked[max(cut, 1) :]
