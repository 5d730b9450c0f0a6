"""What a build tried to reach, by what the programs of the field really say of a network that is not there."""

from __future__ import annotations

import pytest

from workbench.builders.reached import attempts

PYTHON = """\
Traceback (most recent call last):
  File "/usr/lib/python3.11/urllib/request.py", line 1348, in do_open
    h.request(req.get_method(), req.selector, req.data, headers,
  File "/usr/lib/python3.11/socket.py", line 962, in getaddrinfo
    for res in _socket.getaddrinfo(host, port, family, type, proto, flags):
socket.gaierror: [Errno -3] Temporary failure in name resolution

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/build/env/lib/python3.11/site-packages/pyproject_hooks/_in_process/_in_process.py", line 389, in <module>
    main()
  File "setup.py", line 7, in <module>
    urlretrieve("https://files.example/model.bin", "model.bin")
  File "/usr/lib/python3.11/urllib/request.py", line 1351, in do_open
    raise URLError(err)
urllib.error.URLError: <urlopen error [Errno -3] Temporary failure in name resolution>
"""


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (PYTHON, "https://files.example/model.bin (setup.py:7)"),
        ("curl: (6) Could not resolve host: files.example", "files.example"),
        ("wget: unable to resolve host address \u2018files.example\u2019", "files.example"),
        (
            "fatal: unable to access 'https://git.example/x/': Could not resolve host: git.example",
            "git.example",
        ),
        ("ssh: Could not resolve hostname git.example: Name or service not known", "git.example"),
        ("curl: (7) Failed to connect to files.example port 443 after 0 ms", "files.example"),
        ("npm ERR! request failed, reason: getaddrinfo EAI_AGAIN registry.example", "registry.example"),
        ("go: x: Get: dial tcp: lookup proxy.example on 10.0.0.1:53: no such host", "proxy.example"),
        (
            "MaxRetryError: HTTPSConnectionPool(host='files.example', port=443): Max retries exceeded",
            "files.example",
        ),
        ("ConnectionRefusedError: [Errno 111] Connection refused", "the network"),
    ],
)
def test_the_host_is_named_and_the_line_that_wanted_it(said: str, told: str) -> None:
    assert ", ".join(map(str, attempts(said.splitlines()))) == told


def test_what_is_tried_again_is_told_once() -> None:
    line = "curl: (6) Could not resolve host: files.example"
    assert len(attempts([line, "compiling", line])) == 1


def test_a_log_without_such_words_tells_nothing() -> None:
    assert (
        attempts(["-- Found Threads: TRUE", "see https://example.com", "socket.c:1:2: warning: unused"]) == ()
    )
