"""Two processes that train by turns: one goes on while the other is stopped where it stands."""

from __future__ import annotations

import time

from tests.bench.child import Answer, Child
from tests.bench.pace import Turn

TURN = 0.8  # s; other work on a shared machine comes and goes in about as long, and then hits both


def share(
    ours: tuple[Child, dict[str, object]], theirs: tuple[Child, dict[str, object]]
) -> tuple[tuple[Answer, list[Turn]], tuple[Answer, list[Turn]]]:
    """Ask both, and let them work by turns until one has answered; then both may end.

    Returns the answer of each, and its turns, of which both had equally many. Who begins alternates.
    """
    children = (ours[0], theirs[0])
    turns: tuple[list[Turn], list[Turn]] = ([], [])
    for child, question in (ours, theirs):
        child.tell(question)
        child.hold()
    try:
        while not any(child.answered for child in children):
            for which in (0, 1) if len(turns[0]) % 2 else (1, 0):
                begin = time.monotonic()
                children[which].go_on()
                time.sleep(TURN)
                children[which].hold()
                turns[which].append((begin, time.monotonic()))
    finally:
        for child in children:
            child.go_on()
    return (children[0].answer(), turns[0]), (children[1].answer(), turns[1])
