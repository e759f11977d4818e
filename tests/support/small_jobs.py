"""Jobs that succeed, fail or kill their process; other processes import them from here."""

import os
import signal
import time
from pathlib import Path


def halve(number):
    if number % 2:
        raise ValueError(f'{number} is odd')
    return number // 2


def bug(_):
    return {}['missing']


def note(path):
    """Leaves a line in the file for each time it runs."""
    with open(path, 'a') as file:
        file.write('ran\n')
    return Path(path).name


def die_once(path):
    """Kills its process the first time."""
    note(path)
    if path.endswith('dies') and len(Path(path).read_text().splitlines()) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return Path(path).name


def die_always(path):
    note(path)
    if path.endswith('dies'):
        os.kill(os.getpid(), signal.SIGKILL)
    return Path(path).name


def note_then_sleep(path):
    name = note(path)
    if name == 'long':
        time.sleep(600)
    return name


def surroundings(name):
    return os.getcwd(), os.environ.get(name), os.environ.get('CUDA_VISIBLE_DEVICES')


def die_or_take_a_second(path):
    """As :func:`die_always`, where the others are still at work when the process dies."""
    if Path(path).name != 'dies':
        time.sleep(1)
    return die_always(path)
