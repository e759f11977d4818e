"""What reader processes of mined picks do; spawned processes can import it."""

import numpy as np

#: Copying that many picks takes a while, so that the writer comes in between.
CAPACITY = 20_000


def picks_of(number):
    """Another pick, and another number of it, in each round."""
    return np.full(num_picks(number), number)


def num_picks(number):
    return CAPACITY - number


def count_and_check_reads(mined, ready, last_round, answers):
    """Read until the last round has come; answer how many rounds were seen, and which were torn."""
    seen, torn = set(), []
    number = -1
    while number != last_round:
        picks, number = mined.read()
        # Looks at the ends alone, so that most of the time goes into reading.
        if number and (len(picks), {*picks[[0, -1]]}) != (num_picks(number), {number}):
            torn.append(number)
        seen.add(number)
        ready.set()
    answers.put((len(seen), torn))


def answer_reads(mined, questions, answers):
    """Read whenever asked, until asked for nothing."""
    while questions.get():
        picks, number = mined.read()
        answers.put((picks.tolist(), number))
