"""Who is online on a small site, kept on its own server from Vacancy's webhooks."""

import logging
import os
import re
import threading
import time
import urllib.parse
from pathlib import Path

import pusher
from flask import Flask, abort, redirect, render_template, request, send_from_directory, session
from werkzeug.serving import make_server

from live import Live
from store import PAGE_PREFIX, Store
from told import Api, told_list

HERE = Path(__file__).parent
PORT = int(os.environ.get("PORT", "3000"))
VACANCY = urllib.parse.urlsplit(os.environ.get("VACANCY_URL", "http://127.0.0.1:6001"))
DATABASE = Path(os.environ.get("PRESENCE_DB", HERE / "data" / "presence.db"))
TABLE_CHANNEL = "private-online"
PAGES = {"home": "Home", "docs": "Docs", "prices": "Prices", "contact": "Contact"}
# A name is the id of its user, and these are the characters that the SDK allows in one.
NAME = re.compile(r"[A-Za-z0-9_.@-]{1,40}")

app = {"app_id": "1", "key": "app-key", "secret": "app-secret"}
host = {"host": VACANCY.hostname, "port": VACANCY.port, "ssl": VACANCY.scheme == "https"}
vacancy = pusher.Pusher(**app, **host)

DATABASE.parent.mkdir(parents=True, exist_ok=True)
store = Store(DATABASE)
live = Live(vacancy, store, TABLE_CHANNEL)

site = Flask(__name__)
site.secret_key = os.environ.get("COOKIE_SECRET", "a-secret-for-the-example")
site.config["SESSION_COOKIE_SAMESITE"] = "Lax"


# ---- what Vacancy tells ----


# region: webhooks
@site.post("/webhooks")
def webhooks():
    key = request.headers.get("X-Pusher-Key", "")
    signature = request.headers.get("X-Pusher-Signature", "")
    webhook = vacancy.validate_webhook(key, signature, request.get_data())
    if webhook is None:
        abort(401)
    live.changed(store.record(webhook["events"]))
    return "", 204


# endregion: webhooks


def agree_with_vacancy():
    """At the start, while webhooks come in already: until Vacancy has answered."""
    while True:
        held = store.here()
        try:
            told = told_list(Api(**app, **host), PAGE_PREFIX, TABLE_CHANNEL)
            break
        except Exception as error:
            logging.warning("Vacancy has not given its list yet: %s", error)
            time.sleep(0.5)
    store.agree(held, told)
    live.changed({""})
    print(f"presence: agrees with Vacancy's list of {len(told)}", flush=True)


# ---- the site ----


@site.get("/")
@site.get("/<page>")
def page(page="home"):
    if page not in PAGES:
        abort(404)
    settings = {
        "key": app["key"],
        "port": VACANCY.port,
        "tls": host["ssl"],
        "user": session.get("name"),
        "channel": PAGE_PREFIX + page,
        "table": TABLE_CHANNEL,
    }
    return render_template("page.html", pages=PAGES, page=page, settings=settings)


@site.post("/login")
def login():
    name = request.form.get("name", "").strip()
    if not NAME.fullmatch(name):
        abort(400, "A name has 1 to 40 of: letters, digits, and . _ @ -")
    session["name"] = name
    return redirect(back())


@site.post("/logout")
def logout():
    session.clear()
    return redirect(back())


def back():
    page = request.form.get("page", "home")
    return "/" if page not in PAGES or page == "home" else f"/{page}"


@site.get("/online")
def online():
    return store.table()


@site.get("/pusher.js")
def pusher_js():
    return send_from_directory(HERE / "node_modules" / "pusher-js" / "dist" / "web", "pusher.min.js")


# ---- what pusher-js asks for ----


@site.post("/auth/user")
def auth_user():
    return vacancy.authenticate_user(request.form["socket_id"], {"id": signed_in()})


@site.post("/auth/channel")
def auth_channel():
    name, channel = signed_in(), request.form["channel_name"]
    if channel == TABLE_CHANNEL:
        return vacancy.authenticate(channel, request.form["socket_id"])
    if channel in {PAGE_PREFIX + page for page in PAGES}:
        return vacancy.authenticate(channel, request.form["socket_id"], {"user_id": name})
    abort(403)


def signed_in():
    return session.get("name") or abort(403)


if __name__ == "__main__":
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", PORT, site, threaded=True)
    threading.Thread(target=agree_with_vacancy, daemon=True).start()
    print(f"presence: http://127.0.0.1:{PORT}", flush=True)
    server.serve_forever()
