"""Many people pressing a button at once: a process that gets ready, waits for the word, and posts from threads.

Run as a script it reads one line of JSON (where, and what each of its people posts), says `ready`, waits for a line,
and prints the answers as JSON. Imports the standard library alone, so that sixteen of them start quickly.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

Post = dict[str, Any]
"""`path`, `cookie`, `data`."""


def all_at_once(port: int, posts: Sequence[Post], processes: int = 16) -> list[tuple[int, str]]:
    """Send all posts from so many processes at the same moment; (status, Location) of each answer, in no order."""
    shares = [list(posts[n::processes]) for n in range(processes)]
    crowd = [_start(port, share) for share in shares if share]
    for process in crowd:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in crowd:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers: list[tuple[int, str]] = []
    for process in crowd:
        out, _ = process.communicate(timeout=120)
        answers += [(status, location) for status, location in json.loads(out)]
    return answers


def _start(port: int, share: list[Post]) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-S", str(Path(__file__))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps({"port": port, "posts": share}) + "\n")
    process.stdin.flush()
    return process


def _main() -> None:
    task = json.loads(sys.stdin.readline())
    gate, answers = threading.Event(), []

    def press(post: Post) -> None:
        connection = HTTPConnection("127.0.0.1", task["port"], timeout=100)
        connection.connect()
        headers = {"Cookie": f"portal={post['cookie']}", "Content-Type": "application/x-www-form-urlencoded"}
        gate.wait()
        connection.request("POST", post["path"], urlencode(post["data"]), headers)
        answer = connection.getresponse()
        answer.read()
        answers.append((answer.status, answer.getheader("Location", "")))

    threads = [threading.Thread(target=press, args=(post,)) for post in task["posts"]]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.readline()
    gate.set()
    for thread in threads:
        thread.join()
    print(json.dumps(answers))


if __name__ == "__main__":
    _main()
