"""The Pusher server SDK for Python, unchanged: publishing, asking, authorizing, and verifying webhooks.

The server under test posts channel_occupied and channel_vacated to WEBHOOK_PORT, with a short vacated_delay.
"""

import base64
import json
import logging

import nacl.secret
import pusher.errors
from checks import KEY, Client, backend, check, equal, finish, receiver, setting

logging.getLogger("websocket").setLevel(logging.CRITICAL)
server = backend()
webhooks = receiver(int(setting("WEBHOOK_PORT")))
ada = Client(user_data={"user_id": "1"})
bob = Client(user_data={"user_id": "2"})


def names_of(webhook, channel):
    """The names of the events of that channel in a webhook that the SDK finds valid."""
    valid = server.validate_webhook(webhook["key"], webhook["signature"], webhook["body"])
    return [event["name"] for event in valid["events"] if event["channel"] == channel] if valid else []


def told(name, channel):
    """The first valid webhook that tells that event of that channel."""
    return webhooks.until(f"the webhook {name} of {channel}", lambda it: name in names_of(it, channel), 10)


@check("trigger reaches one channel, and many")
def _():
    ada.connect()
    ada.subscribe("pysdk-one")
    ada.subscribe("pysdk-two")
    equal(server.trigger("pysdk-one", "greeting", {"text": "hello"}), {})
    equal(json.loads(ada.event("pysdk-one", "greeting")), {"text": "hello"})
    equal(server.trigger(["pysdk-one", "pysdk-two"], "news", "text"), {})
    equal(ada.event("pysdk-one", "news"), "text")
    equal(ada.event("pysdk-two", "news"), "text")


@check("trigger_batch delivers each event to its channel")
def _():
    batch = [
        {"channel": "pysdk-one", "name": "batch-1", "data": {"n": 1}},
        {"channel": "pysdk-two", "name": "batch-2", "data": "two"},
    ]
    equal(server.trigger_batch(batch), {})
    equal(json.loads(ada.event("pysdk-one", "batch-1")), {"n": 1})
    equal(ada.event("pysdk-two", "batch-2"), "two")


@check("channels_info lists the occupied channels by prefix, with user counts")
def _():
    bob.connect()
    ada.subscribe("presence-pysdk-room")
    bob.subscribe("presence-pysdk-room")
    listed = server.channels_info("pysdk-")["channels"]
    equal(listed, {"pysdk-one": {}, "pysdk-two": {}})
    rooms = server.channels_info("presence-pysdk", ["user_count"])["channels"]
    equal(rooms, {"presence-pysdk-room": {"user_count": 2}})


@check("channel_info tells whether a channel is occupied, and its user count")
def _():
    equal(server.channel_info("presence-pysdk-room", ["user_count"]), {"occupied": True, "user_count": 2})
    equal(server.channel_info("pysdk-nobody")["occupied"], False)


@check("users_info lists the users of a presence channel")
def _():
    users = server.users_info("presence-pysdk-room")["users"]
    equal(sorted(user["id"] for user in users), ["1", "2"])


@check("authenticate makes a signature that the server accepts")
def _():
    carol = Client(secret="not-used")
    socket_id = carol.connect()
    auth = server.authenticate("private-pysdk", socket_id)["auth"]
    carol.pusher.subscribe("private-pysdk", auth=auth)
    carol.event("private-pysdk", "pusher_internal:subscription_succeeded")
    carol.close()


@check("what trigger and trigger_batch encrypt reaches the subscriber, who can read it with shared_secret")
def _():
    name = "private-encrypted-pysdk"
    ada.subscribe(name)
    shared = server.authenticate(name, ada.pusher.connection.socket_id)["shared_secret"]
    box = nacl.secret.SecretBox(base64.b64decode(shared))
    server.trigger(name, "secret-1", "schön geheim")
    server.trigger_batch([{"channel": name, "name": "secret-2", "data": "auch"}])
    for event, want in (("secret-1", "schön geheim"), ("secret-2", "auch")):
        sealed = json.loads(ada.event(name, event))
        equal(sorted(sealed), ["ciphertext", "nonce"])
        nonce, ciphertext = base64.b64decode(sealed["nonce"]), base64.b64decode(sealed["ciphertext"])
        equal(box.decrypt(ciphertext, nonce).decode(), want)


@check("channel_info tells what a channel caches, and who comes later gets it")
def _():
    equal(server.channel_info("cache-pysdk", ["cache"]), {"occupied": False, "cache": None})
    server.trigger("cache-pysdk", "price", "one")
    cache = server.channel_info("cache-pysdk", ["cache"])["cache"]
    equal(cache["data"], "one")
    equal(1_700 < cache["ttl"] <= 1_800, True)
    ada.subscribe("cache-pysdk")
    equal(ada.event("cache-pysdk", "price"), "one")


@check("authenticate_user makes a signature that the server accepts, and send_to_user reaches that user")
def _():
    cleo = Client()
    socket_id = cleo.connect()
    keep = lambda data: cleo.frames.push((None, "pusher:signin_success", data))
    cleo.pusher.connection.bind("pusher:signin_success", keep)
    cleo.pusher.connection.send_event("pusher:signin", server.authenticate_user(socket_id, {"id": "cleo"}))
    equal(json.loads(cleo.event(None, "pusher:signin_success")["user_data"]), {"id": "cleo"})
    cleo.subscribe("#server-to-user-cleo")
    equal(server.send_to_user("cleo", "letter", {"n": 1}), {})
    equal(json.loads(cleo.event("#server-to-user-cleo", "letter")), {"n": 1})
    cleo.close()


@check("terminate_user_connections asks for a path that no Pusher server has, and is told so with 404")
def _():
    try:
        server.terminate_user_connections("cleo")
    except pusher.errors.PusherBadStatus as error:
        equal("404" in str(error), True)
    else:
        raise AssertionError("it was not refused")


@check("a wrong secret is refused as PusherBadAuth")
def _():
    try:
        backend(secret="wrong").trigger("pysdk-one", "never", {})
    except pusher.errors.PusherBadAuth as error:
        if "Invalid signature" not in str(error):
            raise AssertionError(f"the text does not say why: {error}") from error
    else:
        raise AssertionError("it was not refused")


@check("data over 10 KB is refused with 413")
def _():
    try:
        server.trigger("pysdk-one", "never", "x" * 10241)
    except pusher.errors.PusherBadStatus as error:
        if "413" not in str(error):
            raise AssertionError(f"not a 413: {error}") from error
    else:
        raise AssertionError("it was not refused")


@check("validate_webhook accepts the webhook of channel_occupied")
def _():
    ada.subscribe("pysdk-webhook")
    equal(told("channel_occupied", "pysdk-webhook")["key"], KEY)


@check("validate_webhook accepts the webhook of channel_vacated")
def _():
    ada.pusher.unsubscribe("pysdk-webhook")
    told("channel_vacated", "pysdk-webhook")


@check("validate_webhook refuses a body that was tampered with, and a wrong key")
def _():
    webhook = webhooks.items[0]
    key, signature, body = webhook["key"], webhook["signature"], webhook["body"]
    equal(server.validate_webhook(key, signature, body), json.loads(body))
    equal(server.validate_webhook(key, signature, body + " "), None)
    equal(server.validate_webhook(key, signature, body.replace("channel_", "channel-")), None)
    equal(server.validate_webhook("other-key", signature, body), None)


@check("every webhook that came was valid")
def _():
    for webhook in webhooks.items:
        if not server.validate_webhook(webhook["key"], webhook["signature"], webhook["body"]):
            raise AssertionError(f"not valid: {webhook}")


ada.close()
bob.close()
finish()
