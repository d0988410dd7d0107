"""What both programs here share: the settings, the named checks, and waiting for events with a deadline."""

import base64
import http.server
import json
import logging
import os
import sys
import threading
import time

import pusher
import pysher

PROGRAM_DEADLINE_S = 90
EVENT_DEADLINE_S = 20


def setting(name, otherwise=None):
    """The value of an environment variable that has to be set."""
    value = os.environ.get(name, otherwise)
    if value is None:
        print(f"not ok - settings: the environment variable {name} is not set", flush=True)
        sys.exit(1)
    return value


HOST = setting("VACANCY_HOST", "127.0.0.1")
PORT = int(setting("VACANCY_PORT"))
APP_ID = setting("VACANCY_APP_ID")
KEY = setting("VACANCY_APP_KEY")
SECRET = setting("VACANCY_APP_SECRET")

_failed = 0


def _too_late():
    print(f"not ok - the program ends in time: not done after {PROGRAM_DEADLINE_S} s", flush=True)
    os._exit(1)


_deadline = threading.Timer(PROGRAM_DEADLINE_S, _too_late)
_deadline.daemon = True
_deadline.start()


def check(sentence):
    """Runs the decorated function at once as a named check and prints its line."""

    def run(body):
        global _failed
        try:
            body()
            print(f"ok - {sentence}", flush=True)
        except Exception as error:
            _failed += 1
            reason = " ".join(f"{type(error).__name__} {error}".split())
            print(f"not ok - {sentence}: {reason}", flush=True)

    return run


def finish():
    """Ends the program, whatever threads pysher left; exit code 0 when every check passed."""
    os._exit(1 if _failed else 0)


def equal(got, want):
    """Fails with both values unless they are equal."""
    if got != want:
        raise AssertionError(f"got {got!r}, want {want!r}")


class Inbox:
    """What arrived so far, in order; `until` also sees what arrived before it was called."""

    def __init__(self):
        self.items = []
        self._arrived = threading.Condition()

    def push(self, item):
        with self._arrived:
            self.items.append(item)
            self._arrived.notify_all()

    def until(self, what, wanted=lambda item: True, deadline_s=EVENT_DEADLINE_S):
        """The first item that `wanted` accepts, or an error after the deadline."""
        ends = time.monotonic() + deadline_s
        with self._arrived:
            while True:
                for item in self.items:
                    if wanted(item):
                        return item
                left = ends - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"waited {deadline_s} s for {what}; arrived: {self.items}"[:600])
                self._arrived.wait(left)


def backend(**changes):
    """The server SDK, pointed at the server under test."""
    options = {"app_id": APP_ID, "key": KEY, "secret": SECRET, "ssl": False, "host": HOST, "port": PORT}
    options["encryption_master_key_base64"] = base64.b64encode(bytes([7] * 32)).decode()
    return pusher.Pusher(**{**options, **changes})


class Client:
    """A pysher client with an inbox of `(channel, event, data)`."""

    def __init__(self, user_data=None, secret=SECRET):
        self.frames = Inbox()
        self.pusher = pysher.Pusher(
            KEY, secure=False, secret=secret, custom_host=HOST, port=PORT, user_data=user_data, log_level=logging.CRITICAL
        )
        connection = self.pusher.connection
        for event in ("pusher:connection_established", "pusher:pong", "pusher:error"):
            connection.bind(event, lambda data, event=event: self.frames.push((None, event, data)))
        # pysher makes the channel after it sent the subscribe, so a bind could miss the confirmation.
        to_channel = connection.event_handler

        def keep(event, data, channel):
            self.frames.push((channel, event, data))
            to_channel(event, data, channel)

        connection.event_handler = keep

    def connect(self):
        """Connects and waits until the server has greeted; gives the socket id."""
        self.pusher.connect()
        self.event(None, "pusher:connection_established")
        return self.pusher.connection.socket_id

    def event(self, channel, event):
        """The data of the first event of that name in that channel (None: of the connection)."""
        return self.frames.until(f"{event} in {channel}", lambda it: it[:2] == (channel, event))[2]

    def subscribe(self, name):
        """Subscribes and waits for the confirmation; gives the channel and the confirmation's data."""
        channel = self.pusher.subscribe(name)
        return channel, json.loads(self.event(name, "pusher_internal:subscription_succeeded"))

    def close(self):
        self.pusher.disconnect(timeout=2)


def receiver(port):
    """A receiver of webhooks; gives the inbox of `{key, signature, body}` as the requests come."""
    webhooks = Inbox()

    class Receiver(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
            key, signature = self.headers["X-Pusher-Key"], self.headers["X-Pusher-Signature"]
            webhooks.push({"key": key, "signature": signature, "body": body})
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return webhooks
