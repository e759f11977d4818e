"""How threads wait in ONNX Runtime, whose earlier versions cannot be told for how long to spin."""

import re

import onnxruntime

#: How long a thread waits in a loop before it sleeps.
SPIN_MICROSECONDS = 20
_FIRST_WITH_SPIN_TIME = (1, 31)


def waiting_of_threads() -> dict[str, str]:
    """How the threads of a graph wait for one another, as ``session.intra_op`` entries of its options.

    Threads that wait in a loop take the cores from whatever else runs, also from the thread that they
    wait for: beside four other threads a step then took twice as long. Those that sleep at once are
    woken hundreds of times a step, which takes a sixth of the time of ``tiny``'s. Earlier versions
    would spin for longer than a step takes, so their threads sleep at once.
    """
    numbers = tuple(int(number) for number in re.findall(r'\d+', onnxruntime.__version__)[:2])
    if numbers < _FIRST_WITH_SPIN_TIME:
        return dict(allow_spinning='0')
    return dict(allow_spinning='1', spin_duration_us=str(SPIN_MICROSECONDS))
