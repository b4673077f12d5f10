# SPDX-License-Identifier: GPL-2.0-or-later
"""A service manager, as much as iovd needs of one: fake-service-manager.py DIRECTORY COMMAND...

Runs COMMAND with a notification socket and a descriptor store, and again with what is stored whenever it was killed, as
Restart=on-failure does; on SIGHUP it restarts it in good order, on SIGUSR1 too but has lost what
DIRECTORY/lost begins the name of, on SIGTERM it stops it and empties the store. DIRECTORY/main.pid has
the command's process id, DIRECTORY/stored the names in the store. What DIRECTORY/junk lists, a name a line, is passed on besides at
the first start: an empty memfd each, or with a word behind the name a note to no descriptors that is as the word says.
"""
import fcntl
import os
import select
import signal
import socket
import struct
import sys

directory, command = sys.argv[1], sys.argv[2:]
address = os.path.join(directory, 'notify')
store = []  # (name, descriptor)
todo = set()
main = pidfd = 0

wake_r, wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
signal.set_wakeup_fd(wake_w)
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    signal.signal(number, lambda number, frame: todo.add(number))

notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(address)
notify.setblocking(False)


def write(name, text):
    path = os.path.join(directory, name)
    with open(path + '.tmp', 'w', encoding='ascii') as f:
        f.write(text)
    os.rename(path + '.tmp', path)


def child():
    high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3 + len(store) + 10) for _, fd in store]
    for n, fd in enumerate(high):
        os.dup2(fd, 3 + n, inheritable=True)
    os.environ.update(NOTIFY_SOCKET=address, FDSTORE='512')
    if store:
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(store)),
                          LISTEN_FDNAMES=':'.join(name for name, _ in store))
    signal.set_wakeup_fd(-1)
    for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(s, signal.SIG_DFL)
    os.execvp(command[0], command)


def start():
    global main, pidfd
    main = os.fork()
    if main == 0:
        try:
            child()
        finally:
            os._exit(127)
    pidfd = os.pidfd_open(main)
    write('main.pid', f'{main}\n')


def handle(text, fds):
    fields = dict(line.split('=', 1) for line in text.split('\n') if '=' in line)
    name = fields.get('FDNAME', 'stored')
    if fields.get('FDSTORE') == '1':
        assert fields['FDPOLL'] == '0'
        # Newest first: iovd is promised no order.
        store[:0] = [(name, fd) for fd in fds]
        fds = []
    elif fields.get('FDSTOREREMOVE') == '1':
        for n, fd in store:
            if n == name:
                os.close(fd)
        store[:] = [(n, fd) for n, fd in store if n != name]
    for fd in fds:
        os.close(fd)
    write('stored', ''.join(f'{n}\n' for n, _ in store))


def drain():
    while True:
        try:
            data, fds, _, _ = socket.recv_fds(notify, 4096, 16)
        except BlockingIOError:
            return
        handle(data.decode(), fds)


def lose():
    with open(os.path.join(directory, 'lost'), encoding='ascii') as f:
        prefix = f.read().strip()
    for name in {n for n, _ in store if n.startswith(prefix)}:
        handle(f'FDSTOREREMOVE=1\nFDNAME={name}', [])


def note(name, kind=None):
    """struct stored_note of control/keeper/fdstore.c"""
    fd = os.memfd_create('junk', os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    if kind is None:
        return fd
    key, text = int(name.split('-')[1], 16), b'note'
    os.write(fd, struct.pack('<8sIIQQII', b'iov-kept', 2 if kind == 'newer' else 1, 5 if kind == 'cut-off' else 4,
                             key + (kind == 'misnamed'), 7, 3, {'five-fds': 5, 'one-fd': 1}.get(kind, 0)) + text)
    if kind == 'long':
        os.ftruncate(fd, 1 << 20)
    if kind != 'unsealed':
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS,
                    fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
    return fd


junk = os.path.join(directory, 'junk')
if os.path.exists(junk):
    with open(junk, encoding='ascii') as f:
        for line in f:
            store.append((line.split()[0], note(*line.split())))
start()
stopping = losing = False
while True:
    ready, _, _ = select.select([notify, pidfd, wake_r], [], [])
    if wake_r in ready:
        os.read(wake_r, 64)
    stopping |= signal.SIGTERM in todo
    losing |= signal.SIGUSR1 in todo
    if todo:
        todo.clear()
        os.kill(main, signal.SIGTERM)
    drain()
    if pidfd in ready:
        drain()
        os.waitpid(main, 0)
        os.close(pidfd)
        if stopping:
            break
        if losing:
            lose()
            losing = False
        start()
os.unlink(address)
