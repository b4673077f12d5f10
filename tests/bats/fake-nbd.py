#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fake-nbd.py SOCKET FILE [KEY=VALUE...]: an NBD server that is not as it should be.

Every export is FILE. size=N: it says so many bytes, flags=N: these transmission flags (NBD protocol, "Transmission flags"), block=N:
the least block size, handshake=silent|garbage|refuse: how it begins, after=N: this many requests on each connection are answered, and
then=close|silent|garbage|error|half: what it does after that. Whoever sends it SIGUSR1 has it behave well from then on.
"""
import os
import signal
import socket
import struct
import sys
import threading

OPTIONS_MAGIC = 0x49484156454F5054
REPLY_MAGIC = 0x3E889045565A9
REP_ACK, REP_INFO, REP_UNSUPPORTED, REP_UNKNOWN = 1, 3, (1 << 31) + 1, (1 << 31) + 6
OPT_EXPORT_NAME, OPT_ABORT, OPT_GO = 1, 2, 7
READ, WRITE, DISC, FLUSH, TRIM, WRITE_ZEROES = 0, 1, 2, 3, 4, 6


class Gone(Exception):
    pass


class Connection:
    def __init__(self, sock, fd, keys):
        self.sock, self.fd, self.keys, self.requests = sock, fd, keys, 0

    def take(self, n):
        data = b""
        while len(data) < n:
            piece = self.sock.recv(n - len(data))
            if not piece:
                raise Gone
            data += piece
        return data

    def reply(self, option, kind, data=b""):
        self.sock.sendall(struct.pack(">QIII", REPLY_MAGIC, option, kind, len(data)) + data)

    def handshake(self):
        how = self.keys.get("handshake", "")
        if how == "silent":
            self.take(1 << 20)
        if how == "garbage":
            self.sock.sendall(b"\x00\xff" * 4096)
            raise Gone
        self.sock.sendall(b"NBDMAGIC" + struct.pack(">QH", OPTIONS_MAGIC, 1))
        self.take(4)
        size, flags = int(self.keys.get("size", os.fstat(self.fd).st_size)), int(self.keys.get("flags", 0x45))
        while True:
            _, option, length = struct.unpack(">QII", self.take(16))
            data = self.take(length)
            if option == OPT_ABORT:
                raise Gone
            if option != OPT_GO:
                self.reply(option, REP_UNSUPPORTED)
                continue
            if how == "refuse":
                self.reply(option, REP_UNKNOWN, b"no\x1b[31m such export")
                continue
            if len(data) < 6:
                raise Gone
            self.reply(option, REP_INFO, struct.pack(">HQH", 0, size, flags))
            if "block" in self.keys:
                block = int(self.keys["block"])
                self.reply(option, REP_INFO, struct.pack(">HIII", 3, block, max(block, 4096), 1 << 25))
            self.reply(option, REP_ACK)
            return

    def misbehave(self, then, kind, cookie):
        if then == "silent":
            self.take(1 << 30)
        if then == "garbage":
            self.sock.sendall(b"\x5a" * 64)
        if then == "half" and kind == READ:
            self.sock.sendall(struct.pack(">IIQ", 0x67446698, 0, cookie) + b"x" * 100)
        raise Gone

    def serve(self):
        while True:
            _, _, kind, cookie, offset, length = struct.unpack(">IHHQQI", self.take(28))
            data = self.take(length) if kind == WRITE else b""
            error = 0
            self.requests += 1
            keys = dict(self.keys)  # a signal may clear them
            if "then" in keys and self.requests > int(keys.get("after", 0)):
                if keys["then"] != "error":
                    self.misbehave(keys["then"], kind, cookie)
                error = 5
            elif kind == READ:
                data = os.pread(self.fd, length, offset).ljust(length, b"\x00")
            elif kind == WRITE:
                os.pwrite(self.fd, data, offset)
            elif kind == WRITE_ZEROES:
                os.pwrite(self.fd, bytes(length), offset)
            elif kind == FLUSH:
                os.fsync(self.fd)
            elif kind == DISC:
                raise Gone
            self.sock.sendall(struct.pack(">IIQ", 0x67446698, error, cookie) + (data if kind == READ and not error else b""))

    def run(self):
        try:
            self.handshake()
            self.serve()
        except (Gone, OSError):
            pass
        finally:
            self.sock.close()


def main():
    keys = dict(argument.split("=", 1) for argument in sys.argv[3:])
    signal.signal(signal.SIGUSR1, lambda *_: keys.clear())
    fd = os.open(sys.argv[2], os.O_RDWR)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1] + ".new")
    listener.listen(64)
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    while True:
        sock, _ = listener.accept()
        threading.Thread(target=Connection(sock, fd, keys).run, daemon=True).start()


main()
