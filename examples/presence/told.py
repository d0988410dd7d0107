"""Reads what Vacancy has told: its lists of occupied channels and of users, each entry with its `seq`."""

import urllib.parse

from pusher.http import GET, Request, request_method
from pusher.pusher_client import PusherClient


# The SDK has no method for a path that it does not know. This is one, made as it makes its own. The SDK
# signs parameters as they are, which is right, and also sends them so: they are encoded here. It adds its
# own to them, therefore the copy.
# region: get
class Api(PusherClient):
    @request_method
    def get(self, path, params):
        request = Request(self, GET, f"/apps/{self.app_id}{path}", dict(params))
        request.query_params = {name: urllib.parse.quote(value, safe="") for name, value in request.query_params.items()}
        return request
# endregion: get


def entries(api, key, **params):
    """All entries of a list that comes in pages."""
    found, params = {}, params | {"limit": "100"}
    while True:
        page = api.get("/occupancy", params)
        found |= page[key]
        if page["next"] is None:
            return found
        params["after"] = page["next"]


def told_list(api, page_prefix, other_channel):
    """(user_id, channel) to (seq, since_ms) of all that Vacancy has told as being here."""
    told = {(user_id, ""): entry for user_id, entry in entries(api, "users", of="users").items()}
    for channel, entry in entries(api, "channels", filter_by_prefix=page_prefix).items():
        told["", channel] = entry
        for user_id, user in api.get(f"/occupancy/{channel}", {})["users"].items():
            told[user_id, channel] = user
    other = api.get(f"/occupancy/{other_channel}", {})
    if other["occupied"]:
        told["", other_channel] = other
    return {key: (entry["seq"], entry["since_ms"]) for key, entry in told.items()}
