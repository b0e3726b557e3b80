"""A child that misbehaves on its pipe; the request says how."""

import json
import os
import sys
import time


def floods(pipe: int) -> None:
    while True:
        os.write(pipe, b"x" * 1000 + b"\n")
        time.sleep(0.01)


def never_ends_a_line(pipe: int) -> None:
    while True:
        os.write(pipe, b"x" * 65536)


def forks(pipe: int) -> None:
    if os.fork() == 0:
        time.sleep(3600)
    os.write(pipe, b"done\n")
    os._exit(0)


def closes(pipe: int) -> None:
    os.close(pipe)
    time.sleep(3600)


def raises(pipe: int) -> None:
    raise ValueError("planted boom")


def half(pipe: int) -> None:
    os.write(pipe, b'{"cell":"zz')
    os.kill(os.getpid(), 9)


def two_lines(pipe: int) -> None:
    os.write(pipe, b"one\ntwo\n")


def hangs(pipe: int) -> None:
    time.sleep(3600)


if __name__ == "__main__":
    globals()[json.loads(sys.stdin.readline())["how"]](int(os.environ["RAYBENCH_RESULT_FD"]))
