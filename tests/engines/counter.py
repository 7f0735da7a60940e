"""The flask image's web application: counts its visitors in a Redis server that it finds by name."""

import os
import socket

from flask import Flask

app = Flask(__name__)


def redis(*words):
    """Send one command of the Redis protocol; return its one-line answer without the type mark."""
    request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    with socket.create_connection((os.environ.get("REDIS_HOST", "redis"), 6379), timeout=5) as connection:
        connection.sendall(request.encode())
        return connection.makefile("rb").readline().decode().strip()[1:]


@app.route("/")
def visit():
    return f"visit {redis('INCR', 'visits')} on {socket.gethostname()}\n"


@app.route("/health")
def health():
    return "ok\n"


if __name__ == "__main__":
    app.run(host="0.0.0.0", port=5000)
