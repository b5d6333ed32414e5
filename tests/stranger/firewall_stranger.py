#!/usr/bin/env python3
"""A stranger to the project runs the firewall of an appliance, knowing docs/RPC.md only.

Usage: firewall_stranger.py SOCKET DIRECTORY [CHECK...]

Python's standard library and nothing else; see rpc_stranger.py, whose client is used. The appliance
has a section "firewall" and starts with "default deny" and one rule. Every check begins with
"check_"; they run in the order of the file, each prints one line, and the exit code is 0 only when
all passed.
"""

import os
import struct
import sys
import time

import rpc_stranger
from rpc_stranger import Client, INVALID_PARAMETERS, NOT_FOUND

BAD_STATE = -32008


def call(method, parameters=None, descriptors=()):
    client = Client()
    client.start(method, parameters, descriptors)
    reply = client.reply()
    assert "result" in reply, f"{method}: {reply}"
    return reply["result"]


def refusal(method, parameters=None):
    client = Client()
    client.start(method, parameters)
    reply = client.reply()
    assert "error" in reply, f"{method} should be refused: {reply}"
    return reply["error"]


def udp(source, port, vlan=None):
    """A UDP frame to 192.0.2.1, made by hand from the RFCs."""
    payload = b"hello"
    header = struct.pack("!HHHH", 1000, port, 8 + len(payload), 0)
    address = bytes(int(part) for part in source.split("."))
    ip = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 20 + len(header) + len(payload), 1, 0, 64, 17, 0, address,
        bytes([192, 0, 2, 1]))
    ethernet = b"\2\0\0\0\0\1" + b"\2\0\0\0\0\2"
    tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
    return (ethernet + tag + b"\x08\0" + ip + header + payload).hex()


def judge(*frames):
    result = call("firewall.test", {"frames": [{"hex": frame} for frame in frames]})
    return [(verdict["verdict"], verdict["reason"]) for verdict in result["verdicts"]]


def check_status_says_where_packets_are_judged():
    status = call("firewall.status")
    assert status["enabled"] and status["default"] == "deny", status
    for interface in status["interfaces"]:
        assert interface["mode"] in ("native", "generic", "userspace", "none"), interface
        assert interface["mode"] == "native" or interface["reason"], interface


def check_rules_decide_in_their_order():
    assert judge(udp("198.51.100.1", 4009)) == [("pass", "rule")]
    first = call("firewall.rule.add", {
        "text": "deny from 198.51.100.0/24 name bad owner stranger comment \"out\"", "number": 1})
    assert first["applied"] and first["number"] == 1, first
    assert judge(udp("198.51.100.1", 4009), udp("203.0.113.1", 4009), udp("203.0.113.1", 1)) == [
        ("drop", "rule"), ("pass", "rule"), ("drop", "default")]
    listed = call("firewall.rule.list", {"limit": 1})
    assert listed["rules"][0]["name"] == "bad" and listed["total"] == 2, listed
    assert listed["rules"][0]["owner"] == "stranger", listed
    rest = call("firewall.rule.list", {"after": listed["next"]})
    assert len(rest["rules"]) == 1 and rest.get("next") is None, rest


def check_a_number_is_good_for_one_generation():
    generation = call("firewall.status")["generation"]
    old = refusal("firewall.rule.remove", {"number": 1, "generation": generation - 1})
    assert old["code"] != INVALID_PARAMETERS, old
    removed = call("firewall.rule.remove", {"number": 1, "generation": generation})
    assert removed["generation"] == generation + 1, removed
    assert refusal("firewall.rule.remove", {"name": "bad"})["code"] == NOT_FOUND


def check_unconfirmed_rules_go_by_themselves():
    call("firewall.rule.add", {"text": "allow udp port 1 name brief", "confirmSeconds": 1})
    assert judge(udp("203.0.113.1", 1)) == [("pass", "rule")]
    end = time.time() + 30
    while "confirmBefore" in call("firewall.status"):
        assert time.time() < end, "the change stays"
        time.sleep(0.1)
    assert judge(udp("203.0.113.1", 1)) == [("drop", "default")]
    refusal("firewall.confirm")


def check_rules_come_and_go_through_descriptors():
    path = os.path.join(rpc_stranger.DIRECTORY, "exported")
    with open(path, "wb") as file:
        exported = call("firewall.rule.export", None, [file.fileno()])
    with open(path, "rb") as file:
        text = file.read()
    assert exported["bytes"] == len(text) and "text" not in exported, exported
    assert exported["generation"] == call("firewall.status")["generation"]
    with open(path, "ab") as file:
        file.write(b"set many = " + b" ".join(
            b"10.%d.%d.0/24" % (i // 256, i % 256) for i in range(20000)) + b"\n")
        file.write(b"deny from @many\n")
    with open(path, "rb") as file:
        replaced = call("firewall.rule.replace", {}, [file.fileno()])
    assert replaced["rules"] == 2 and replaced["prefixes"] >= 1, replaced
    assert judge(udp("10.7.7.7", 4009)) == [("pass", "rule")], "the first rule that matches"
    with open(path, "wb") as file:
        file.write(text)
    with open(path, "rb") as file:
        call("firewall.rule.replace", {}, [file.fileno()])
    assert call("firewall.rule.export")["text"].encode() == text


def check_errors_come_all_together():
    wrong = "default deny\nallow udp port 70000\nset a = 10.0.0.1/8\nnonsense\n"
    error = refusal("firewall.rule.replace", {"text": wrong})
    assert error["code"] == INVALID_PARAMETERS, error
    for line in (":2:", ":3:", ":4:"):
        assert line in error["message"], error
    check = call("firewall.rule.replace", {"text": wrong, "checkOnly": True})
    assert [each["line"] for each in check["errors"]] == [2, 3, 4], check


def check_bans_hold_and_are_listed_by_page():
    before = call("firewall.bans")["total"]
    for i in range(5):
        call("firewall.ban", {"address": f"203.0.113.{i}", "comment": f"number {i}"})
    call("firewall.ban", {"address": "2001:db8:5::/64", "forSeconds": 3600})
    assert judge(udp("203.0.113.3", 4009)) == [("drop", "ban")]
    seen, after = [], None
    while True:
        page = call("firewall.bans", {"limit": 2, **({"after": after} if after else {})})
        seen += page["bans"]
        after = page.get("next")
        if not after:
            break
    assert len(seen) == before + 6, seen
    assert seen[3]["comment"] == "number 3" and seen[3]["origin"] == "operator", seen
    assert "expires" in seen[5] and "expires" not in seen[0], seen
    assert call("firewall.unban", {"address": "203.0.113.3"})["removed"] == 1
    assert judge(udp("203.0.113.3", 4009)) == [("pass", "rule")]
    assert refusal("firewall.unban", {"address": "203.0.113.3"})["code"] == NOT_FOUND
    assert call("firewall.unban", {"all": True})["removed"] == before + 5
    for wrong in ("203.0.113.0/24", "203.0.113.1/33", "here", "", "2001:db8::/48"):
        assert refusal("firewall.ban", {"address": wrong})["code"] == INVALID_PARAMETERS, wrong


def check_garbage_is_judged_and_harms_nothing():
    verdicts = judge("", "00", "ff" * 13, udp("203.0.113.1", 4009)[:60], "ff" * 2000)
    assert verdicts[0] == ("drop", "malformed"), verdicts
    assert verdicts[3] == ("drop", "malformed"), verdicts
    for frames in ([{"hex": "zz"}], [{"hex": "0"}]):
        error = refusal("firewall.test", {"frames": frames})
        assert error["code"] == INVALID_PARAMETERS, error
    refusal("firewall.test", {"frames": [{"hex": "00"}] * 65})
    refusal("firewall.test", {"frames": [], "interface": "nowhere9"})
    refusal("firewall.attach", {"interface": "a/b"})
    assert refusal("firewall.attach", {"interface": "nowhere9"})["code"] == NOT_FOUND
    assert refusal("firewall.detach", {"interface": "nowhere9"})["code"] == NOT_FOUND


def check_statistics_are_there_for_scrapers():
    names = {
        metric["name"]
        for process in call("stats.read")["processes"] for metric in process["metrics"]}
    assert "pangea_firewall_ban_dropped_packets_total" in names, names
    reasons = [each["reason"] for each in call("firewall.stats")["reasons"]]
    assert reasons == [
        "essential", "malformed", "pinned", "ban", "rate", "rule", "default"], reasons


def main():
    rpc_stranger.SOCKET, rpc_stranger.DIRECTORY = sys.argv[1:3]
    chosen = sys.argv[3:]
    failed = 0
    for name, check in list(globals().items()):
        if not name.startswith("check_") or (chosen and name not in chosen):
            continue
        try:
            check()
            print(f"ok    {name}")
        except Exception as problem:
            failed += 1
            print(f"WRONG {name}: {type(problem).__name__}: {problem}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
