#!/usr/bin/env python3
"""A stranger to the project works on the storage of a running appliance, knowing docs/RPC.md only.

Usage: storage_stranger.py SOCKET DIRECTORY [CHECK...]

The appliance is one of 2+1 with three devices, and its user is ours: DIRECTORY is for devices and
files of our own. Every check leaves as many devices as it found.
"""

import json
import os
import random
import subprocess
import sys
import time

sys.dont_write_bytecode = True

import rpc_stranger as stranger  # noqa: E402  (after the line that keeps the tree clean)
from rpc_stranger import (  # noqa: E402
    BUSY, EXISTS, INVALID_PARAMETERS, NOT_FOUND, Client, code, get, names, path, put, wait_for,
    write)

UNAVAILABLE = -32008
UNSUPPORTED = -32006


def devices():
    return Client().result("device.list")["devices"]


def device(index):
    return next((d for d in devices() if d["index"] == index), None)


def directory(name):
    os.makedirs(path(name))
    return path(name)


def add(name):
    """Adds a new directory as a device; returns its index."""
    result = Client().result("device.add", {"path": directory(name)})
    assert result["formatted"] and result["path"] == path(name), result
    return result["index"]


def remove(index, **more):
    """Takes a device out and waits until it is."""
    result = Client().result("device.remove", {"device": str(index), **more})
    assert result["index"] == index, result
    wait_for("the device to be out", lambda: device(index) is None)


def refused(method, parameters, expected, field=None):
    message = Client().call(method, parameters)
    assert code(message) == expected, (method, parameters, message)
    if field:
        assert message["error"]["data"]["field"] == field, message
    return message["error"]


def range_of(name, offset=None, length=None):
    """Fetches a part; returns the bytes and the result."""
    parameters = {"name": name}
    if offset is not None:
        parameters["offset"] = offset
    if length is not None:
        parameters["length"] = length
    with open(path("range.tmp"), "w+b") as file:
        result = Client().result("object.get", parameters, [file.fileno()])
        file.seek(0)
        return file.read(), result


# Parts of objects


def check_ranges_are_what_a_slice_is():
    seed = random.randrange(1 << 32)
    rng = random.Random(seed)
    for size in (1, 4096, 100_000, (1 << 20) - 1, 3 * (1 << 20) + 17):
        data = os.urandom(size)
        put("range", data)
        for _ in range(12):
            some = rng.randrange(1, size + 1)
            offset = rng.choice([0, size - 1, size - some, -1, -size, -some])
            length = rng.choice([None, 1, size, size + 1, (1 << 63) - 1, some])
            begin = offset if offset >= 0 else size + offset
            expected = data[begin:begin + (size if length is None else length)]
            got, result = range_of("range", offset, length)
            where = f"seed {seed}: {offset}, {length} of {size}"
            assert got == expected, where
            assert (result["offset"], result["length"]) == (begin, len(expected)), (where, result)
            assert result["bytes"] == size, (where, result)
    got, result = range_of("range", -(10 ** 12))
    assert got == data, "more from the end than there is means all of it"
    got, result = range_of("range")
    assert got == data and "offset" not in result, result
    Client().result("object.remove", {"name": "range"})


def check_ranges_outside_are_refused():
    put("range", b"12345")
    with open(path("sink"), "wb") as sink:
        for parameters, field in [
            ({"offset": 5}, "offset"),
            ({"offset": 10 ** 15}, "offset"),
            ({"offset": 0, "length": 0}, "length"),
            ({"offset": 0, "length": -1}, "length"),
            ({"offset": 0.5}, "offset"),
            ({"offset": "0"}, "offset"),
            ({"offset": 10 ** 19}, "offset"),
        ]:
            message = Client().call("object.get", {"name": "range", **parameters}, [sink.fileno()])
            assert code(message) == INVALID_PARAMETERS, (parameters, message)
            assert message["error"]["data"]["field"] == field, (parameters, message)
    assert os.path.getsize(path("sink")) == 0
    Client().result("object.remove", {"name": "range"})


# Time to live and statistics


def check_an_object_goes_after_its_time():
    with open(write("brief", b"brief"), "rb") as file:
        result = Client().result(
            "object.put", {"name": "ttl/brief", "ttlSeconds": 2}, [file.fileno()])
        assert "expires" in result, result
        file.seek(0)
        Client().result("object.put", {"name": "ttl/long", "ttlSeconds": 3600}, [file.fileno()])
        file.seek(0)
        Client().result("object.put", {"name": "ttl/none"}, [file.fileno()])
    entries = Client().result("object.list", {"prefix": "ttl/"})["objects"]
    assert "expires" not in next(e for e in entries if e["name"] == "ttl/none"), entries
    wait_for("the object to go", lambda: names("ttl/") == ["ttl/long", "ttl/none"])
    assert code(Client().call("object.stat", {"name": "ttl/brief"})) == NOT_FOUND
    for value in (0, -1, 1.5, "7d", 10 ** 12):
        refused("object.put", {"name": "ttl/bad", "ttlSeconds": value}, INVALID_PARAMETERS,
                "ttlSeconds")
    for name in names("ttl/"):
        Client().result("object.remove", {"name": name})


def check_use_is_counted_and_keeps_an_object():
    with open(write("used", b"12345"), "rb") as file:
        Client().result("object.put", {"name": "used", "ttlSeconds": 15}, [file.fileno()])
    before = Client().result("object.stat", {"name": "used"})
    assert before["statistics"]["gets"] == 0 and before["ttlSeconds"] == 15, before
    time.sleep(1.1)  # the new time is noted once a sixteenth of it has passed
    assert get("used") == b"12345"
    range_of("used", 1, 2)
    after = Client().result("object.stat", {"name": "used"})
    assert after["statistics"]["gets"] == 2, after
    assert after["statistics"]["bytesServed"] == 7, after
    assert "lastGet" in after["statistics"], after
    assert after["expires"] > before["expires"], (before, after)
    Client().result("object.remove", {"name": "used"})


# Devices


def check_devices_are_listed_in_full():
    listed = devices()
    assert [d["index"] for d in listed] == sorted(d["index"] for d in listed), listed
    for each in listed:
        assert each["state"] == "ok" and each["source"] == "configuration", each
        assert each["kind"] == "directory" and len(each["id"]) == 32, each
        for field in ("freeBytes", "totalBytes", "segments", "liveBytes", "garbageBytes"):
            assert each[field] >= 0, each
    put("stat", b"x" * 10_000)
    stat = Client().result("object.stat", {"name": "stat"})
    assert sorted(d["position"] for d in stat["devices"]) == [0, 1, 2], stat
    assert {d["path"] for d in stat["devices"]} <= {d["path"] for d in listed}, stat
    Client().result("object.remove", {"name": "stat"})


def check_what_is_no_device_is_not_added():
    listed = devices()
    write("file", b"no device")
    os.makedirs(path("strange/inside"))
    foreign = directory("foreign")
    with open(os.path.join(foreign, "pangea-device.json"), "w") as file:
        json.dump({"format": 2, "device": "1" * 32, "state": "2" * 32}, file)
    damaged = directory("damaged")
    with open(os.path.join(damaged, "pangea-device.json"), "wb") as file:
        file.write(os.urandom(100))
    os.symlink(listed[0]["path"], path("link"))
    for where, expected in [
        ("", INVALID_PARAMETERS),
        ("relative", INVALID_PARAMETERS),
        ("/" + "x" * 2000, INVALID_PARAMETERS),
        ("/a\u0007b", INVALID_PARAMETERS),
        (path("nowhere"), NOT_FOUND),
        (path("file"), INVALID_PARAMETERS),
        ("/dev/null", INVALID_PARAMETERS),
        (listed[1]["path"], EXISTS),
        (listed[1]["path"] + "/", EXISTS),
        (path("link"), EXISTS),
    ]:
        refused("device.add", {"path": where}, expected)
        refused("device.replace", {"device": "0", "path": where}, expected)
    for where in (path("strange"), foreign, damaged):
        for method, more in (("device.add", {}), ("device.replace", {"device": "0"})):
            message = Client().call(method, {"path": where, **more})
            assert "error" in message and message["error"]["data"]["name"] in (
                "denied", "exists", "badState", "corrupt"), (where, message)
    assert os.listdir(path("strange")) == ["inside"]
    refused("device.add", {}, INVALID_PARAMETERS, "path")
    refused("device.add", {"path": 7}, INVALID_PARAMETERS, "path")
    assert [(d["index"], d["id"], d["state"]) for d in devices()] == [
        (d["index"], d["id"], d["state"]) for d in listed]


def check_what_is_no_device_is_not_removed():
    for name in ("3", "64", "-1", "99999999999999999999", "x", "", "/nowhere", "0 ", "1.0"):
        refused("device.remove", {"device": name}, NOT_FOUND)
        refused("device.replace", {"device": name, "path": path("any")}, NOT_FOUND)
    for force in (False, True):
        error = refused("device.remove", {"device": "0", "force": force}, UNAVAILABLE)
        assert "2 devices would remain" in error["message"], error
    refused("device.remove", {"device": 0}, INVALID_PARAMETERS, "device")
    refused("device.remove", {"device": "0", "force": 1}, INVALID_PARAMETERS, "force")
    assert len(devices()) == 3


def check_a_device_comes_serves_and_goes():
    data = {f"moved/{i}": os.urandom(size) for i, size in enumerate((1, 5_000, 300_000, 3_000_000))}
    for name, content in data.items():
        put(name, content)
    index = add("added")
    assert device(index)["source"] == "state", devices()
    remove(0)
    for name, content in data.items():
        assert get(name) == content, name
        stat = Client().result("object.stat", {"name": name})
        assert stat["shardsAvailable"] == 3, stat
        assert 0 not in {d["index"] for d in stat["devices"] if d["state"] == "ok"}, stat
    # Its directory is a device that is known; at a new index or the free one it serves again.
    back = Client().result("device.add", {"path": os.path.join(STATE, "devices", "00")})
    assert back["index"] == 0, back
    remove(index)
    for name, content in data.items():
        assert get(name) == content, name
        Client().result("object.remove", {"name": name})


def check_a_replaced_device_is_refilled():
    data = {f"refill/{i}": os.urandom(1_500_000 + i) for i in range(4)}
    for name, content in data.items():
        put(name, content)
    old = device(1)
    result = Client().result("device.replace", {"device": old["path"], "path": directory("new1")})
    assert result["index"] == 1 and result["id"] != old["id"], result
    wait_for("the refilling", lambda: all(
        Client().result("object.stat", {"name": name})["shardsAvailable"] == 3 for name in data))
    for name, content in data.items():
        assert get(name) == content, name
        Client().result("object.remove", {"name": name})
    # The place it had is nobody's now and takes a new device.
    subprocess.run(["find", old["path"], "-mindepth", "1", "-delete"], check=True)
    result = Client().result("device.replace", {"device": "1", "path": old["path"]})
    assert result["formatted"], result
    assert device(1)["source"] == "configuration", devices()


def check_block_devices():
    """A disk is a device when it is blank and nobody's; needs a loop device."""
    image = write("image", b"")
    os.truncate(image, 256 << 20)
    made = subprocess.run(
        ["losetup", "-f", "--show", image], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        print("skipped: no loop device: " + made.stderr.strip())
        return
    loop = made.stdout.strip()
    try:
        subprocess.run(["mkfs.ext4", "-q", loop], check=True)
        error = refused("device.add", {"path": loop}, EXISTS)
        assert "dd if=/dev/zero" in error["data"]["hint"], error
        os.makedirs(path("mounted"))
        mounted = subprocess.run(["mount", loop, path("mounted")], check=False).returncode == 0
        with open(loop, "r+b") as raw:
            raw.write(bytes(1 << 20))
        if mounted:
            error = refused("device.add", {"path": loop}, BUSY)
            assert "mounted" in error["message"], error
            subprocess.run(["umount", path("mounted")], check=True)
            with open(loop, "r+b") as raw:
                raw.write(bytes(1 << 20))
        result = Client().result("device.add", {"path": loop})
        index = result["index"]
        assert result["formatted"] and device(index)["kind"] == "block", devices()
        refused("device.add", {"path": loop}, EXISTS)
        remove(0)
        put("block", b"b" * 2_000_000)
        assert get("block") == b"b" * 2_000_000
        Client().result("device.add", {"path": os.path.join(STATE, "devices", "00")})
        remove(index)
        assert get("block") == b"b" * 2_000_000
        Client().result("object.remove", {"name": "block"})
    finally:
        subprocess.run(["losetup", "-d", loop], check=True)


def check_two_changes_at_once():
    """Both are answered, and what is done is whole."""
    clients = [Client() for _ in range(4)]
    for i, client in enumerate(clients):
        client.start("device.add", {"path": directory(f"race{i}")})
    replies = [client.reply() for client in clients]
    added = [r["result"]["index"] for r in replies if "result" in r]
    for reply in replies:
        assert "result" in reply or code(reply) == BUSY, reply
    assert added and len(set(added)) == len(added), replies
    for index in added:
        remove(index, force=True)


# Scrub and heal


def check_scrub_and_heal_report():
    put("scrub", os.urandom(500_000))
    started = Client().result("scrub.start", {"bytesPerSecond": 0, "restart": True})
    assert started["bytesPerSecond"] == 0, started
    wait_for("the pass to end", lambda: not Client().result("scrub.status")["running"])
    status = Client().result("scrub.status")
    assert status["errorsFound"] == 0 and status["objectsChecked"] >= 1, status
    assert "lastFinished" in status, status
    Client().result("scrub.stop")
    heal = Client().result("heal.start")
    assert heal["skipped"] == [] and heal["skippedTotal"] == 0, heal
    refused("scrub.start", {"bytesPerSecond": -1}, INVALID_PARAMETERS, "bytesPerSecond")
    refused("scrub.stop", {"x": 1}, INVALID_PARAMETERS, "x")
    refused("heal.start", {"name": "scrub"}, INVALID_PARAMETERS, "name")
    Client().result("object.remove", {"name": "scrub"})


def check_the_catalog_is_made_anew():
    data = {f"catalog/{i:03}": os.urandom(i * 100) for i in range(50)}
    for name, content in data.items():
        put(name, content)
    Client().result("object.remove", {"name": "catalog/007"})
    del data["catalog/007"]
    before = Client().result("system.status")["objects"]
    message = Client().call("catalog.rebuild", {})
    if "error" in message and code(message) == UNSUPPORTED:
        print("skipped: " + message["error"]["message"])
        return
    result = message["result"]
    assert result["objects"] == before, (before, result)
    assert names("catalog/") == sorted(data)
    for name, content in data.items():
        assert get(name) == content, name
        Client().result("object.remove", {"name": name})


STATE = ""


def main():
    global STATE
    stranger.SOCKET, stranger.DIRECTORY = sys.argv[1:3]
    STATE = Client().result("system.status")["stateDirectory"]
    checks = [(n, f) for n, f in globals().items() if n.startswith("check_")]
    if len(sys.argv) > 3:
        checks = [(n, f) for n, f in checks if n in sys.argv[3:]]
    failed = 0
    for name, check in checks:
        started = time.monotonic()
        try:
            check()
            print(f"ok {name} {time.monotonic() - started:.2f} s", flush=True)
        except Exception as error:  # a check may fail in any way; the others still run
            failed += 1
            print(f"FAILED {name}: {type(error).__name__}: {error}", flush=True)
    print(f"{len(checks) - failed} of {len(checks)} checks passed")
    sys.exit(1 if failed or not checks else 0)


if __name__ == "__main__":
    main()
