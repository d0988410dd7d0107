"""pysher, unchanged, as the client of the server under test."""

import json
import logging

from checks import Client, Inbox, backend, check, equal, finish

logging.getLogger("websocket").setLevel(logging.CRITICAL)
server = backend()
ada = Client(user_data={"user_id": "1", "user_info": {"name": "Ada"}})
bob = Client(user_data={"user_id": "2", "user_info": {"name": "Bob"}})


@check("pysher connects and gets a socket id")
def _():
    first, second = ada.connect(), bob.connect()
    for socket_id in (first, second):
        equal([part.isdigit() for part in socket_id.split(".")], [True, True])
    if first == second:
        raise AssertionError(f"both connections have the socket id {first}")


@check("pysher's ping before the greeting is answered with a pong")
def _():
    ada.event(None, "pusher:pong")


@check("pysher subscribes to a public channel and its bound callback gets the triggered event")
def _():
    channel, confirmation = ada.subscribe("py-news")
    equal(confirmation, {})
    got = Inbox()
    channel.bind("greeting", got.push)
    server.trigger("py-news", "greeting", {"text": "hällo"})
    equal(json.loads(got.until("greeting")), {"text": "hällo"})


@check("pysher subscribes to a private channel and receives a triggered event")
def _():
    ada.subscribe("private-py-news")
    server.trigger("private-py-news", "greeting", "just text")
    equal(ada.event("private-py-news", "greeting"), "just text")


@check("pysher subscribes to a presence channel, is told who is there and who comes")
def _():
    _, first = ada.subscribe("presence-py-room")
    equal(first, {"presence": {"count": 1, "ids": ["1"], "hash": {"1": {"name": "Ada"}}}})
    _, second = bob.subscribe("presence-py-room")
    equal(second["presence"]["count"], 2)
    equal(sorted(second["presence"]["ids"]), ["1", "2"])
    added = ada.event("presence-py-room", "pusher_internal:member_added")
    equal(json.loads(added), {"user_id": "2", "user_info": {"name": "Bob"}})
    server.trigger("presence-py-room", "greeting", {"n": 1})
    equal(json.loads(bob.event("presence-py-room", "greeting")), {"n": 1})


@check("a client event sent by pysher reaches the other subscriber of a private channel")
def _():
    bob.subscribe("private-py-news")
    ada.pusher.channel("private-py-news").trigger("client-typing", {"on": True})
    equal(json.loads(bob.event("private-py-news", "client-typing")), {"on": True})


@check("a client event sent by pysher reaches the others in a presence channel")
def _():
    ada.pusher.channel("presence-py-room").trigger("client-typing", {"on": False})
    equal(json.loads(bob.event("presence-py-room", "client-typing")), {"on": False})


@check("a forged signature is refused and the connection stays")
def _():
    mallory = Client(secret="not-the-secret")
    mallory.connect()
    mallory.pusher.subscribe("private-py-news")
    mallory.event(None, "pusher:error")
    mallory.subscribe("py-news")
    mallory.close()


@check("others are told when pysher leaves a presence channel")
def _():
    bob.pusher.unsubscribe("presence-py-room")
    removed = ada.event("presence-py-room", "pusher_internal:member_removed")
    equal(json.loads(removed), {"user_id": "2"})


ada.close()
bob.close()
finish()
