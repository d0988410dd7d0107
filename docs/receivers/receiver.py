"""Receives Vacancy's webhooks: PORT=3000 APP_SECRET=… python3 receiver.py

With WEBHOOK_SECRET=whsec_… (one of the endpoint's `secrets`) it asks for that signature too.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

PORT = int(os.environ.get("PORT", "3000"))
APP_SECRET = os.environ.get("APP_SECRET", "app-secret").encode()
WEBHOOK_SECRET = os.environ.get("WEBHOOK_SECRET", "")
TOLERANCE_S = 300
IDS_KEPT = 1000

# A real back end keeps both with its data, and writes them in one transaction with what it does.
ids = {}
seqs = {}


def is_genuine(headers, body):
    pusher = hmac.new(APP_SECRET, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(headers.get("X-Pusher-Signature", "").encode(), pusher.encode()):
        return False
    if not WEBHOOK_SECRET:
        return True
    stamp = headers.get("webhook-timestamp", "")
    if not stamp.isdecimal() or abs(time.time() - int(stamp)) > TOLERANCE_S:
        return False
    secret = base64.b64decode(WEBHOOK_SECRET.removeprefix("whsec_"))
    signed = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    standard = b"v1," + base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest())
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(one.encode(), standard) for one in given)


def handle(event):
    if "seq" in event:
        # A channel, a user in a channel, or a user: what is not newer than what we know is ignored.
        key = event.get("channel"), event.get("user_id")
        if event["seq"] <= seqs.get(key, -1):
            return
        seqs[key] = event["seq"]
    words = (event.get(word) for word in ("name", "channel", "user_id"))
    print("verified", *(word for word in words if word is not None), flush=True)


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        genuine = is_genuine(self.headers, body)
        request_id = self.headers.get("webhook-id")
        if genuine and request_id not in ids:
            for event in json.loads(body)["events"]:
                handle(event)
            ids[request_id] = True
            if len(ids) > IDS_KEPT:
                del ids[next(iter(ids))]
        self.send_response(200 if genuine else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


HTTPServer(("127.0.0.1", PORT), Receiver).serve_forever()
