#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A hypervisor for tests: speaks QMP on a socket, and holds vfio-user connections as QEMU's devices do.

fake-qmp.py DIR [--version 11.1.3] [--ports 4] [--cold SLOT=ID=SOCKET]...

DIR/qmp is the socket, DIR/log gets a line for each command and event, DIR/mode is read before each command: words that say how it
misbehaves. As a greeting: silent, http, garbage, endless, deep, close, list. As QEMU: stubborn (the guest lets go of nothing),
refuses (the guest says so), mute (no answer to device_add or device_del), wrong-id, cannot-plug, no-delete.
"""
import argparse
import json
import os
import selectors
import socket
import struct
import sys

parser = argparse.ArgumentParser()
parser.add_argument("dir")
parser.add_argument("--version", default="11.1.3")
parser.add_argument("--ports", type=int, default=4)
parser.add_argument("--cold", action="append", default=[])
args = parser.parse_args()

selector = selectors.DefaultSelector()
ports = {f"iov{n}": None for n in range(args.ports)}
devices = {}  # id: (port, connection, None where it has been lost)
client = None
buffered = b""
leaving = []  # ids that the guest was asked for


def log(text):
    with open(os.path.join(args.dir, "log"), "a") as f:
        f.write(text + "\n")


def modes():
    try:
        with open(os.path.join(args.dir, "mode")) as f:
            return f.read().split()
    except FileNotFoundError:
        return []


def say(message):
    if client:
        client.sendall(json.dumps(message).encode() + b"\r\n")


def plug(id, port, path):
    """VERSION as QEMU sends it; the answer is awaited. From then on the appliance has a client in that slot."""
    s = socket.socket(socket.AF_UNIX)
    s.connect(path)
    payload = struct.pack("<HH", 0, 0) + b'{"capabilities":{"max_msg_fds":16}}\0'
    s.sendall(struct.pack("<HHIII", 1, 1, 16 + len(payload), 0, 0) + payload)
    header = s.recv(16, socket.MSG_WAITALL)
    _, _, size, flags, _ = struct.unpack("<HHIII", header)
    s.recv(size - 16, socket.MSG_WAITALL)
    if flags & 0x20:
        raise OSError("the server refused VERSION")
    ports[port] = id
    devices[id] = (port, s)
    selector.register(s, selectors.EVENT_READ, ("device", id))


def unplug(id):
    port, s = devices.pop(id)
    ports[port] = None
    if s:
        selector.unregister(s)
        s.close()
    log(f"gone {id}")
    say({"event": "DEVICE_DELETED", "data": {"device": id, "path": f"/machine/peripheral/{id}"}, "timestamp": {"seconds": 1, "microseconds": 0}})


class Refused(Exception):
    def __init__(self, text, kind="GenericError"):
        super().__init__(text)
        self.kind = kind


def device_add(a):
    if "cannot-plug" in modes():
        raise Refused("the guest\x1b[31m is full")
    if a["bus"] not in ports:
        raise Refused(f"Bus '{a['bus']}' not found")
    if ports[a["bus"]]:
        raise Refused("PCI: slot 0 function 0 already occupied")
    assert a["driver"] == "vfio-user-pci" and a["socket"]["type"] == "unix"
    plug(a["id"], a["bus"], a["socket"]["path"])
    return {}


def device_del(a):
    if a["id"] not in devices:
        raise Refused(f"Device '{a['id']}' not found", "DeviceNotFound")
    if "refuses" in modes():
        say({"event": "DEVICE_UNPLUG_GUEST_ERROR", "data": {"device": a["id"], "path": f"/machine/peripheral/{a['id']}"}})
    elif "stubborn" not in modes():
        leaving.append(a["id"])
    return {}


def qom_list(a):
    path = a["path"].split("/")
    if a["path"] == "/machine/peripheral":
        return ([{"name": "type", "type": "string"}] + [{"name": p, "type": "child<pcie-root-port>"} for p in ports] +
                [{"name": d, "type": "child<vfio-user-pci>"} for d in devices])
    if len(path) == 5 and path[3] == path[4] and path[3] in ports:
        return [{"name": "hotplug-handler", "type": "link<hotplug-handler>"}] + (
            [{"name": "child[0]", "type": "link<vfio-user-pci>"}] if ports[path[3]] else [])
    raise Refused("Device '%s' not found" % a["path"], "DeviceNotFound")


def qom_get(a):
    return "/machine/peripheral/" + ports[a["path"].split("/")[3]]


def query_version(a):
    major, minor, micro = map(int, args.version.split("."))
    return {"qemu": {"major": major, "minor": minor, "micro": micro}, "package": ""}


commands = {"qmp_capabilities": lambda a: {}, "query-version": query_version, "qom-list": qom_list, "qom-get": qom_get,
            "device_add": device_add, "device_del": device_del}


def handle(message):
    name, a = message["execute"], message.get("arguments", {})
    if name.startswith("device_"):
        log(f"{name} {a['id']} {a.get('bus', '')}".strip())
    if "mute" in modes() and name.startswith("device_"):
        return
    id = message["id"] + (1 if "wrong-id" in modes() and name != "qmp_capabilities" else 0)
    try:
        say({"return": commands[name](a), "id": id})
    except Refused as e:
        say({"error": {"class": e.kind, "desc": str(e)}, "id": id})
    while leaving:
        unplug(leaving.pop())


def greet():
    m = modes()
    log("client")
    if "silent" in m:
        return
    if "http" in m:
        client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    elif "garbage" in m:
        client.sendall(bytes(range(256)) * 100)
    elif "deep" in m:
        client.sendall(b'{"QMP":' + b"[" * 100000)
    elif "list" in m:
        client.sendall(b'["QMP"]\r\n')
    elif "close" in m:
        drop()
    elif "endless" in m:
        try:
            while True:
                client.sendall(b'{"QMP": "' + b"x" * 65536)
        except OSError:
            drop()
    else:
        say({"QMP": {"version": query_version(None), "capabilities": ["oob"]}})


def drop():
    global client, buffered
    if client:
        selector.unregister(client)
        client.close()
        selector.register(listener, selectors.EVENT_READ, ("listener", None))
    client, buffered = None, b""


def readable():
    global buffered
    try:
        data = client.recv(65536)
    except OSError:
        data = b""
    if not data:
        drop()
        return
    buffered += data
    while client and b"\n" in buffered:
        line, buffered = buffered.split(b"\n", 1)
        if line.strip():
            handle(json.loads(line))


for cold in args.cold:
    slot, id, path = cold.split("=")
    plug(id, f"iov{slot}", path)
path = os.path.join(args.dir, "qmp")
if os.path.exists(path):
    os.unlink(path)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(1)
selector.register(listener, selectors.EVENT_READ, ("listener", None))
log("ready")
while True:
    for key, _ in selector.select():
        kind, what = key.data
        if kind == "listener":
            # One client at a time, as QEMU: others wait to be accepted.
            client, _ = listener.accept()
            selector.unregister(listener)
            selector.register(client, selectors.EVENT_READ, ("client", None))
            try:
                greet()
            except OSError:
                drop()
        elif kind == "client" and client:
            try:
                readable()
            except OSError:
                drop()
        elif kind == "device" and what in devices:
            # The appliance closes only by surprise: the guest still has the device, a dead one.
            port, s = devices[what]
            if not s.recv(65536):
                log(f"lost {what}")
                selector.unregister(s)
                s.close()
                devices[what] = (port, None)
