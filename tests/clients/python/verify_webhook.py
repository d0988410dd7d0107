"""Verifies webhooks with `pusher` and with `standardwebhooks`, unchanged.

On standard input comes one JSON document:
{ key, secret, standard: "whsec_…", requests: [{ name, headers: {…}, body }] }
"""

import json
import sys

import pusher
from standardwebhooks import Webhook

given = json.load(sys.stdin)
failed = 0


def check(sentence, body):
    global failed
    try:
        assert body(), "it is not"
        print(f"ok - {sentence}")
    except Exception as error:
        failed += 1
        print(f"not ok - {sentence}: {error!r}")


def refuses(body):
    try:
        body()
        return False
    except Exception:
        return True


client = pusher.Pusher(app_id="1", key=given["key"], secret=given["secret"])
webhook = Webhook(given["standard"])
for request in given["requests"]:
    name, headers, body = request["name"], request["headers"], request["body"]
    key, signature = headers["X-Pusher-Key"], headers["X-Pusher-Signature"]
    tampered = body.replace("time_ms", "time_mS")
    check(f"{name}: pusher finds it valid", lambda: client.validate_webhook(key, signature, body) == json.loads(body))
    check(f"{name}: pusher refuses it when tampered with", lambda: client.validate_webhook(key, signature, tampered) is None)
    check(f"{name}: standardwebhooks finds it valid", lambda: webhook.verify(body, headers) == json.loads(body))
    check(f"{name}: standardwebhooks refuses it when tampered with", lambda: refuses(lambda: webhook.verify(tampered, headers)))
sys.exit(0 if failed == 0 else 1)
