"""On the path of a Python under test: refuses every connection that would leave this machine.

And takes away what Windows lacks, where it is to be imitated.
"""

import os
import signal
import socket
import warnings

LOCAL = {"127.0.0.1", "::1", "localhost", "0.0.0.0", "", None}
real_connect, real_getaddrinfo = socket.socket.connect, socket.getaddrinfo


def connect(self, address):
    if isinstance(address, tuple) and address[0] not in LOCAL:
        raise ConnectionRefusedError(f"no network in this test: {address[0]}")
    return real_connect(self, address)


def getaddrinfo(host, *arguments, **named):
    if (host.decode() if isinstance(host, bytes) else host) not in LOCAL:
        raise socket.gaierror(f"no network in this test: {host}")
    return real_getaddrinfo(host, *arguments, **named)


socket.socket.connect, socket.getaddrinfo = connect, getaddrinfo

if os.environ.get("CIRCUITS_IMITATE") == "windows":  # set by tests/windows.py
    for module, names in (
        (signal, ("SIGALRM", "ITIMER_REAL", "alarm", "setitimer", "getitimer")),
        (os, ("killpg",)),
    ):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    warnings.filterwarnings("ignore", category=EncodingWarning)  # of libraries
    warnings.filterwarnings("error", category=EncodingWarning, module="helpers")
