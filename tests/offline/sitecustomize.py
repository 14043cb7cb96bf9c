"""On the path of a Python under test: refuses every connection that would leave this machine."""

import socket

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
