"""Programs that a test interrupts."""

import signal


def heed_interrupts() -> None:
    """In the child: programs that a shell starts in the background ignore SIGINT, and so do theirs."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
