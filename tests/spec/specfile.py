"""The commands of the specification, read from the file itself: nothing is copied out of it by hand."""

import re
import subprocess
from dataclasses import dataclass, field

FENCE = re.compile(r"^( *)```(\w*) *$")


@dataclass
class Command:
    line: int  # of the specification, where it begins
    section: str
    text: str
    comments: list[str] = field(default_factory=list)  # what the specification says around it, "Expected: true" among it
    printed: str = ""  # what the specification shows as its output, as it stands

    @property
    def expected(self):
        """The specification's own words on what should come."""
        words = [comment for comment in self.comments if comment]
        return "; ".join(words) + (f"; printed: {' '.join(self.printed.split())}" if self.printed else "")


def blocks(text):
    """Every fenced block: (language, section, number of its first line, its lines without the fence's indentation)."""
    section, language, indent, first, lines = "", None, "", 0, []
    for number, line in enumerate(text.splitlines(), 1):
        fence = FENCE.match(line)
        if language is None:
            if line.startswith("#"):
                section = line.lstrip("# ").strip()
            if fence:
                indent, language, first, lines = fence.group(1), fence.group(2), number + 1, []
        elif fence and fence.group(2) == "":
            yield language, section, first, lines
            language = None
        else:
            lines.append(line.removeprefix(indent))
    assert language is None, f"the fence before line {first} isn't closed"


def complete(script):
    """Whether the shell would run it, rather than wait for more lines."""
    if script.rstrip().endswith("\\"):
        return False
    return subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True).returncode == 0


def commands(text):
    """Every command of every bash block, in the file's order."""
    found = []
    for language, section, first, lines in blocks(text):
        if language == "bash":
            found += commands_of_block(section, first, lines)
    return found


def commands_of_block(section, first, lines):
    found, comments, script, begun = [], [], "", 0
    expecting = False  # what follows belongs to the command before: what it should print
    for number, line in enumerate(lines, first):
        blank, comment = not line.strip(), line.lstrip("# ").rstrip() if line.startswith("#") else None
        if script:
            script += line + "\n"
        elif blank:
            comments, expecting = [], expecting and bool(found[-1].printed)
        elif comment is not None and found and (expecting or comment.lower().startswith("expected")):
            found[-1].comments.append(comment)
            expecting = True
        elif comment is not None:
            comments.append(comment)
        elif expecting:
            found[-1].printed += line + "\n"
        else:
            begun, script = number, line + "\n"
        if script and complete(script):
            found.append(Command(begun, section, script.rstrip("\n"), comments))
            comments, script, expecting = [], "", False
    if found:
        found[-1].comments += comments  # what stands below the last command is about it
    assert not script, f"line {begun}: the shell would wait for more of: {script}"
    return found
