"""Text from outside (names, reasons, tracebacks) made harmless to look at: nothing steers the terminal or hides."""

import re

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")  # colours and cursor movements; they stand in many tracebacks
# Control characters but tab and line breaks; marks that are not drawn or turn the direction of writing, U+202E above
# all: with it `exe.txt` reads as `txt.exe`.
UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
REPLACEMENT = "\ufffd"


def visible(text: str) -> str:
    """Return the text without terminal colours; each other character that could steer or hide becomes U+FFFD."""
    return UNSEEN.sub(REPLACEMENT, ANSI.sub("", text.replace("\r\n", "\n")))
