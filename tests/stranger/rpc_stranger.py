#!/usr/bin/env python3
"""A stranger to the project speaks to a running appliance, knowing docs/RPC.md only.

Usage: rpc_stranger.py SOCKET DIRECTORY [CHECK...]

Python's standard library and nothing else. Every check is a function whose name begins with
"check_"; each prints one line, and the exit code is 0 only when all passed. DIRECTORY is for
files of our own.
"""

import json
import os
import random
import resource
import select
import socket
import struct
import sys
import time

SOCKET = ""
DIRECTORY = ""
TIMEOUT_SECONDS = 60

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMETERS = -32602
NOT_FOUND = -32001
EXISTS = -32002
BUSY = -32003
NO_SPACE = -32004
BAD_DESCRIPTOR = -32007


class Client:
    """One connection; reads replies line by line."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(SOCKET)
        self.socket.settimeout(TIMEOUT_SECONDS)
        self.received = b""
        self.last = 0

    def send(self, line, descriptors=()):
        data = line if isinstance(line, bytes) else line.encode()
        if descriptors:
            sent = socket.send_fds(self.socket, [data], list(descriptors))
            data = data[sent:]
        if data:
            self.socket.sendall(data)

    def start(self, method, parameters=None, descriptors=(), id=None):
        """Sends a call without waiting; returns its id."""
        self.last += 1
        id = self.last if id is None else id
        call = {"jsonrpc": "2.0", "id": id, "method": method}
        if parameters is not None:
            call["params"] = parameters
        self.send(json.dumps(call) + "\n", descriptors)
        return id

    def line(self):
        """The next line; b"" at the end of the stream."""
        while b"\n" not in self.received:
            try:
                chunk = self.socket.recv(65536)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                return b""
            self.received += chunk
        line, self.received = self.received.split(b"\n", 1)
        return line

    def reply(self):
        line = self.line()
        if not line:
            raise AssertionError("the appliance closed the connection")
        message = json.loads(line)
        assert message.get("jsonrpc") == "2.0", message
        return message

    def call(self, method, parameters=None, descriptors=(), id=None):
        """Makes a call; returns the whole reply, passing over notifications."""
        id = self.start(method, parameters, descriptors, id)
        while True:
            message = self.reply()
            if "method" not in message:
                assert message["id"] == id, message
                return message

    def result(self, method, parameters=None, descriptors=()):
        message = self.call(method, parameters, descriptors)
        assert "result" in message, message
        return message["result"]

    def close(self):
        self.socket.close()


def code(message):
    assert "error" in message, message
    error = message["error"]
    assert isinstance(error["message"], str) and error["message"], error
    assert isinstance(error["data"]["name"], str), error
    assert isinstance(error["data"]["retryable"], bool), error
    return error["code"]


def path(name):
    return os.path.join(DIRECTORY, name)


def write(name, data):
    with open(path(name), "wb") as file:
        file.write(data)
    return path(name)


def put(name, data):
    """Stores bytes; returns the result."""
    with open(write("put.tmp", data), "rb") as file:
        return Client().result("object.put", {"name": name}, [file.fileno()])


def get(name):
    """Fetches bytes."""
    with open(path("get.tmp"), "w+b") as file:
        Client().result("object.get", {"name": name}, [file.fileno()])
        file.seek(0)
        return file.read()


def names(prefix=""):
    return [o["name"] for o in Client().result("object.list", {"prefix": prefix})["objects"]]


def supervisor():
    return Client().result("system.status")["pid"]


def resident_bytes(pid):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def descriptor_count(pid):
    """Open descriptors but for the program's own code, which is loaded as it is needed."""
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            count += not os.readlink(f"/proc/{pid}/fd/{name}").endswith(".dll")
        except FileNotFoundError:
            pass
    return count


def wait_for(what, condition):
    """Waits until the condition holds; a bound so that a defect fails instead of hanging."""
    end = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < end, f"waited {TIMEOUT_SECONDS} s for {what}"
        time.sleep(0.05)


def wait_for_no_reader(written):
    """Waits until every put from this pipe was withdrawn: it breaks with its last reader."""

    def broken():
        poll = select.poll()
        poll.register(written, 0)
        return any(event & select.POLLERR for _, event in poll.poll(0))

    wait_for("the end of the withdrawn put", broken)
    os.close(written)


# Lines that are no calls


def check_lines_that_are_no_calls():
    """Each is answered with its code, and the connection goes on."""
    client = Client()
    call = '{"jsonrpc":"2.0","id":1,"method":"system.version"'
    for line, expected in [
        (b"nonsense", PARSE_ERROR),
        (b"", PARSE_ERROR),
        (b"{", PARSE_ERROR),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', PARSE_ERROR),
        (b'{"a":1,"a":2}', PARSE_ERROR),
        (b"[" * 10000 + b"]" * 10000, PARSE_ERROR),
        (b'{"jsonrpc":"2.0","method":"\\ud800"}', PARSE_ERROR),
        (b"[]", INVALID_REQUEST),
        (b"17", INVALID_REQUEST),
        (b"{}", INVALID_REQUEST),
        (f"[{call}}}]".encode(), INVALID_REQUEST),
        (f'{call},"extra":1}}'.encode(), INVALID_REQUEST),
        (call.replace("2.0", "1.0").encode() + b"}", INVALID_REQUEST),
        (f'{call},"params":[1]}}'.encode(), INVALID_PARAMETERS),
        (f'{call},"params":7}}'.encode(), INVALID_PARAMETERS),
    ]:
        client.send(line + b"\n")
        message = client.reply()
        assert code(message) == expected, (line[:80], message)
    assert client.result("system.version")["protocol"] == 1


def check_ids_come_back_as_they_were_written():
    client = Client()
    for id in ["0", "-1", "1.50", "123456789012345678901234567890", '"a\\u0062\\n"', "null",
               '"\u00e4"', '""']:
        client.send(f'{{"jsonrpc":"2.0","id":{id},"method":"system.version"}}\n')
        line = client.line().decode()
        assert f'"id":{id},' in line, (id, line[:120])


def check_random_bytes_do_no_harm():
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    pieces = [b"{", b"}", b"[", b'"', b":", b",", b'"id"', b'"method"', b'"object.list"', b"\\u",
              b'"jsonrpc":"2.0"', b'"params"', b"null", b"1e9", b"\xff", b"\x00", b" "]
    client = Client()
    lines = 500
    for _ in range(lines):
        line = b"".join(rng.choice(pieces) for _ in range(rng.randrange(1, 40)))
        client.send(line + b"\n")
        message = client.reply()
        assert code(message) in (PARSE_ERROR, INVALID_REQUEST), f"seed {seed}: {line} {message}"


def check_unknown_methods():
    client = Client()
    for method in ["no.such", "", "object.putt", "worker.start", "worker.ping", "storage.status",
                   "call.cancel", "object.progress", "x" * 10000]:
        assert code(client.call(method, {})) == METHOD_NOT_FOUND, method


def check_parameters_at_fault_are_named():
    client = Client()
    for method, parameters, field in [
        ("object.stat", {}, "name"),
        ("object.stat", None, "name"),
        ("object.stat", {"name": "x", "nmae": "y"}, "nmae"),
        ("object.stat", {"name": 7}, "name"),
        ("object.stat", {"name": None}, "name"),
        ("object.stat", {"name": ""}, "name"),
        ("object.stat", {"name": "n" * 1025}, "name"),
        ("object.stat", {"name": "a\u0000b"}, "name"),
        ("object.stat", {"name": "a\nb"}, "name"),
        ("object.list", {"limit": 0}, "limit"),
        ("object.list", {"limit": 1.5}, "limit"),
        ("object.list", {"limit": 10 ** 30}, "limit"),
        ("object.put", {"name": "x", "bytes": -1}, "bytes"),
        ("object.put", {"name": "x", "noClobber": "yes"}, "noClobber"),
        ("system.version", {"x": 1}, "x"),
    ]:
        message = client.call(method, parameters)
        assert code(message) == INVALID_PARAMETERS, message
        assert message["error"]["data"]["field"] == field, message


def check_a_line_of_100_mb():
    """Refused with a null id, the connection closed, the memory not spent."""
    pid = supervisor()
    before = resident_bytes(pid)
    client = Client()
    block = b'"' + b"x" * (1 << 20)
    try:
        for _ in range(100):
            client.socket.sendall(block)
    except (BrokenPipeError, ConnectionResetError):
        pass
    message = client.reply()
    assert code(message) == INVALID_REQUEST and message["id"] is None, message
    assert client.line() == b""
    grown = resident_bytes(pid) - before
    assert grown < 64 << 20, f"{grown} bytes more are resident"
    assert Client().result("system.version")["protocol"] == 1


def check_the_longest_line_is_served():
    client = Client()
    line = '{"jsonrpc":"2.0","id":1,"method":"system.version"}'
    client.send(line + " " * ((1 << 20) - 1 - len(line)) + "\n")
    assert client.reply()["result"]["protocol"] == 1


# Descriptors


def check_a_put_and_a_get():
    data = os.urandom(3_000_000)
    result = put("stranger/plain", data)
    assert result["bytes"] == len(data) and result["devicesCommitted"] == 12, result
    assert get("stranger/plain") == data
    stat = Client().result("object.stat", {"name": "stranger/plain"})
    assert stat["restorable"] and stat["sha256"] == result["sha256"], stat
    Client().result("object.remove", {"name": "stranger/plain"})
    assert code(Client().call("object.stat", {"name": "stranger/plain"})) == NOT_FOUND


def check_odd_names():
    for name in ["../../etc/passwd", "/", " ", "\u00e4\U0001f600", "a'b\"c\\d", "-x", "n" * 1024,
                 "%00", "con"]:
        put(name, name.encode())
        assert name in names(), name
        assert get(name) == name.encode(), name
        Client().result("object.remove", {"name": name})


def check_pipes_and_offsets():
    read, written = os.pipe()
    client = Client()
    client.start("object.put", {"name": "stranger/pipe"}, [read])
    os.close(read)
    data = os.urandom(2_500_000)
    with os.fdopen(written, "wb") as file:
        file.write(data)
    assert client.reply()["result"]["bytes"] == len(data)

    with open(write("offset", b"skipped" + data), "rb") as file:
        file.seek(7)
        Client().result("object.put", {"name": "stranger/offset"}, [file.fileno()])
    assert get("stranger/offset") == data

    read, written = os.pipe()
    client.start("object.get", {"name": "stranger/pipe"}, [written])
    os.close(written)
    with os.fdopen(read, "rb") as file:
        assert file.read() == data
    assert "result" in client.reply()
    for name in ["stranger/pipe", "stranger/offset"]:
        client.result("object.remove", {"name": name})


def check_descriptors_that_do_not_suit():
    put("stranger/there", b"there")
    plain = write("plain", b"plain")
    with open(path("plain"), "rb") as readable, open(path("sink"), "wb") as writable:
        directory = os.open(DIRECTORY, os.O_RDONLY | os.O_DIRECTORY)
        by_path = os.open(plain, os.O_PATH)
        event = os.eventfd(0)
        for method, name, descriptors in [
            ("object.put", "stranger/new", []),
            ("object.put", "stranger/new", [writable.fileno()]),
            ("object.put", "stranger/new", [directory]),
            ("object.put", "stranger/new", [by_path]),
            ("object.get", "stranger/there", []),
            ("object.get", "stranger/there", [readable.fileno()]),
            ("object.get", "stranger/there", [directory]),
            ("object.get", "stranger/there", [by_path]),
        ]:
            message = Client().call(method, {"name": name}, descriptors)
            assert code(message) == BAD_DESCRIPTOR, (method, descriptors, message)
            assert message["error"]["message"], message
        # An eventfd never ends: any answer but a stored object is right, as long as there is one.
        client = Client()
        client.start("object.put", {"name": "stranger/new"}, [event])
        client.close()
        for descriptor in (directory, by_path, event):
            os.close(descriptor)
    assert "stranger/new" not in names()
    assert get("stranger/there") == b"there"
    Client().result("object.remove", {"name": "stranger/there"})


def check_a_target_without_space():
    put("stranger/full", b"x" * 100_000)
    with open("/dev/full", "wb", buffering=0) as full:
        message = Client().call("object.get", {"name": "stranger/full"}, [full.fileno()])
    assert code(message) == NO_SPACE, message
    Client().result("object.remove", {"name": "stranger/full"})


def check_a_closed_reader():
    put("stranger/reader", os.urandom(4_000_000))
    read, written = os.pipe()
    os.close(read)
    message = Client().call("object.get", {"name": "stranger/reader"}, [written])
    os.close(written)
    assert "error" in message, message
    Client().result("object.remove", {"name": "stranger/reader"})


def check_more_descriptors_than_asked_for():
    files = [open(write(f"many{i}", b"%d" % i), "rb") for i in range(10)]
    result = Client().result(
        "object.put", {"name": "stranger/many"}, [f.fileno() for f in files])
    assert result["bytes"] == 1 and get("stranger/many") == b"0", result
    Client().result("object.remove", {"name": "stranger/many"})


def check_a_flood_of_descriptors():
    """253 are the most that one send can carry; they are closed, whatever the answer is."""
    client = Client()
    with open(write("one", b"1"), "rb") as file:
        client.send('{"jsonrpc":"2.0","id":1,"method":"system.version"}\n', [file.fileno()] * 253)
    line = client.line()
    assert line == b"" or b'"protocol":1' in line, line
    assert Client().result("system.version")["protocol"] == 1


def check_two_calls_in_one_send():
    """The descriptor belongs to the last call that begins in the send."""
    with open(write("last", b"last"), "rb") as file:
        client = Client()
        client.send(
            '{"jsonrpc":"2.0","id":1,"method":"object.put","params":{"name":"stranger/a"}}\n'
            '{"jsonrpc":"2.0","id":2,"method":"object.put","params":{"name":"stranger/b"}}\n',
            [file.fileno()])
        replies = sorted((client.reply(), client.reply()), key=lambda m: m["id"])
    assert code(replies[0]) == BAD_DESCRIPTOR, replies
    assert get("stranger/b") == b"last", replies
    client.result("object.remove", {"name": "stranger/b"})


def check_no_clobber_and_replacement():
    put("stranger/twice", b"old")
    with open(write("new", b"new"), "rb") as file:
        message = Client().call(
            "object.put", {"name": "stranger/twice", "noClobber": True}, [file.fileno()])
        assert code(message) == EXISTS, message
        assert get("stranger/twice") == b"old"
        result = Client().result("object.put", {"name": "stranger/twice"}, [file.fileno()])
    assert result["replaced"] and get("stranger/twice") == b"new", result
    Client().result("object.remove", {"name": "stranger/twice"})


def check_a_length_that_is_not_true():
    for bytes in (4, 6):
        with open(write("five", b"12345"), "rb") as file:
            message = Client().call(
                "object.put", {"name": "stranger/length", "bytes": bytes}, [file.fileno()])
        assert "error" in message, message
    assert "stranger/length" not in names()
    with open(write("five", b"12345"), "rb") as file:
        Client().result("object.put", {"name": "stranger/length", "bytes": 5}, [file.fileno()])
    Client().result("object.remove", {"name": "stranger/length"})


def check_progress_carries_the_callers_id():
    data = os.urandom(64 << 20)
    with open(write("large", data), "rb") as file:
        client = Client()
        client.start(
            "object.put", {"name": "stranger/large", "progress": True}, [file.fileno()], id="mine")
        seen = []
        while True:
            message = client.reply()
            if "method" not in message:
                break
            assert message["method"] == "object.progress" and "id" not in message, message
            assert message["params"]["id"] == "mine", message
            seen.append(message["params"]["bytes"])
    assert message["id"] == "mine" and "result" in message, message
    assert seen == sorted(seen) and all(0 <= b <= len(data) for b in seen), seen
    client.result("object.remove", {"name": "stranger/large"})
    os.unlink(path("large"))


def check_pages():
    for i in range(7):
        put(f"stranger/page{i}", b"%d" % i)
    client = Client()
    after, seen = None, []
    while True:
        parameters = {"prefix": "stranger/page", "limit": 3}
        if after is not None:
            parameters["after"] = after
        page = client.result("object.list", parameters)
        assert len(page["objects"]) <= 3, page
        seen += [o["name"] for o in page["objects"]]
        after = page.get("next")
        if after is None:
            break
    assert seen == [f"stranger/page{i}" for i in range(7)], seen
    for name in seen:
        client.result("object.remove", {"name": name})


# Clients that behave badly


def check_a_client_that_hangs():
    """Half a line, a put that never goes on, replies that are never read: the others are served."""
    half = Client()
    half.send('{"jsonrpc":"2.0","id":1,"meth')
    read, written = os.pipe()
    stuck = Client()
    stuck.start("object.put", {"name": "stranger/stuck"}, [read])
    deaf = Client()
    deaf.socket.settimeout(0.2)
    try:
        while True:
            deaf.start("rpc.discover")
    except (TimeoutError, BrokenPipeError, ConnectionResetError):
        pass
    for _ in range(20):
        assert Client().result("system.version")["protocol"] == 1
    put("stranger/other", b"other")
    assert get("stranger/other") == b"other"
    Client().result("object.remove", {"name": "stranger/other"})
    half.send('od":"system.version"}\n')
    assert half.reply()["result"]["protocol"] == 1
    os.close(read)
    os.close(written)
    assert stuck.reply()["result"]["bytes"] == 0
    Client().result("object.remove", {"name": "stranger/stuck"})


def check_a_client_that_leaves_in_the_middle_of_a_put():
    """Nothing half-stored stays visible, and its space is given back."""
    before = Client().result("system.status")["storedBytes"]
    read, written = os.pipe()
    client = Client()
    client.start("object.put", {"name": "stranger/left"}, [read])
    os.close(read)
    os.write(written, b"x" * 60_000)
    for _ in range(40):
        os.write(written, os.urandom(60_000))
    client.close()

    wait_for_no_reader(written)
    assert code(Client().call("object.stat", {"name": "stranger/left"})) == NOT_FOUND
    assert names("stranger/left") == []
    wait_for("the space", lambda: Client().result("system.status")["storedBytes"] == before)


def check_a_client_that_leaves_in_the_middle_of_a_get():
    data = os.urandom(8_000_000)
    put("stranger/getting", data)
    read, written = os.pipe()
    client = Client()
    client.start("object.get", {"name": "stranger/getting"}, [written])
    os.close(written)
    assert os.read(read, 1) == data[:1]
    client.close()
    received = 1
    while True:
        chunk = os.read(read, 1 << 20)
        if not chunk:
            break
        received += len(chunk)
    os.close(read)
    assert received < len(data), "the get went on to its end"
    assert get("stranger/getting") == data
    Client().result("object.remove", {"name": "stranger/getting"})


def check_a_client_that_only_ends_its_sending():
    client = Client()
    client.start("system.status")
    client.socket.shutdown(socket.SHUT_WR)
    assert "result" in client.reply()
    assert client.line() == b""


def check_more_calls_than_allowed_at_once():
    read, written = os.pipe()
    client = Client()
    for i in range(65):
        client.start("object.put", {"name": f"stranger/queue{i}"}, [read])
    message = client.reply()
    assert code(message) == BUSY and message["error"]["data"]["retryable"], message
    os.close(read)
    client.close()
    wait_for_no_reader(written)
    assert names("stranger/queue") == []


def check_a_call_without_an_id():
    """No reply, and the descriptor that came with it does its work or is closed."""
    client = Client()
    with open(write("quiet", b"quiet"), "rb") as file:
        client.send('{"jsonrpc":"2.0","method":"object.nonsense"}\n', [file.fileno()])
    assert client.result("system.version")["protocol"] == 1


def check_connections_that_end_at_once():
    for i in range(200):
        client = Client()
        if i % 2:
            client.send('{"jsonrpc":"2.0","id":1,"method":"system.status"}\n')
        if i % 3 == 0:
            # Close with unread data and without the usual courtesy.
            client.socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
    assert Client().result("system.version")["protocol"] == 1


def main():
    global SOCKET, DIRECTORY
    SOCKET, DIRECTORY = sys.argv[1:3]
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    checks = [(n, f) for n, f in globals().items() if n.startswith("check_")]
    if len(sys.argv) > 3:
        checks = [(n, f) for n, f in checks if n in sys.argv[3:]]
    pid = supervisor()
    before = descriptor_count(pid)
    failed = 0
    for name, check in checks:
        started = time.monotonic()
        try:
            check()
            print(f"ok {name} {time.monotonic() - started:.2f} s", flush=True)
        except Exception as error:  # a check may fail in any way; the others still run
            failed += 1
            print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)
    assert pid == supervisor(), "the supervisor was restarted"
    wait_for(
        "the supervisor to close our descriptors", lambda: descriptor_count(pid) <= before)
    print(f"{len(checks) - failed} of {len(checks)} checks passed")
    sys.exit(1 if failed or not checks else 0)


if __name__ == "__main__":
    main()
