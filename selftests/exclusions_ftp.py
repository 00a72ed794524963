#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
#
# exclusions_ftp.py serve: just enough of an FTP server on port 21. A file holds
# its own name and whom the server sees at the two connections.
#
# exclusions_ftp.py get ADDRESS active|passive NAME: prints the file.
import ftplib
import socket
import sys


def session(control, peer):
    lines = control.makefile("rw", newline="\r\n")

    def say(text):
        lines.write(text + "\n")
        lines.flush()

    active = listener = None
    say("220 ready")
    for line in lines:
        verb, _, word = line.strip().partition(" ")
        if verb == "PORT":
            n = word.split(",")
            active = ".".join(n[:4]), int(n[4]) * 256 + int(n[5])
            say("200 noted")
        elif verb == "PASV":
            listener = socket.create_server((control.getsockname()[0], 0))
            host, port = listener.getsockname()
            say("227 ({},{},{})".format(host.replace(".", ","), port >> 8, port & 255))
        elif verb == "RETR":
            say("150 here it comes")
            if listener:
                data = listener.accept()[0]
                listener.close()
                listener = None
            else:
                data = socket.create_connection(active, 5, (control.getsockname()[0], 0))
            data.sendall(f"{word} {peer} {data.getpeername()[0]}\n".encode())
            data.close()
            say("226 done")
        elif verb == "QUIT":
            say("221 bye")
            break
        else:
            say("230 fine")
    control.close()


def serve():
    listener = socket.create_server(("", 21))
    print("ready", flush=True)
    while True:
        control, peer = listener.accept()
        try:
            session(control, peer[0])
        except OSError as error:
            print(error, flush=True)


def get(address, how, name):
    ftp = ftplib.FTP(timeout=10)
    ftp.trust_server_pasv_ipv4_address = True
    ftp.connect(address)
    ftp.login()
    ftp.set_pasv(how == "passive")
    ftp.retrlines("RETR " + name)
    ftp.quit()


if sys.argv[1] == "serve":
    serve()
else:
    get(*sys.argv[2:])
