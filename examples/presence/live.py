"""Publishes the rows that changed, as long as somebody looks at the table."""

import logging
import queue
import threading

# Data of an event has at most 10 KB.
USERS_OF_AN_EVENT = 20


class Live:
    """One thread publishes, so that no webhook waits for it."""

    def __init__(self, pusher, store, channel):
        self.pusher, self.store, self.channel = pusher, store, channel
        self.changes = queue.SimpleQueue()
        threading.Thread(target=self._publish_all, daemon=True).start()

    def changed(self, user_ids):
        """To be called after the commit. An empty id stands for a channel that came or went: also this one."""
        self.changes.put(user_ids)

    def _publish(self, user_ids):
        if not self.store.is_occupied(self.channel):
            return
        if "" in user_ids:
            # Who has just come may have asked for the table before we knew that somebody looks at it.
            self.pusher.trigger(self.channel, "reload", {})
        table = self.store.table(only=user_ids)
        users = table["users"]
        for at in range(0, len(users), USERS_OF_AN_EVENT):
            self.pusher.trigger(self.channel, "rows", table | {"users": users[at : at + USERS_OF_AN_EVENT]})

    def _publish_all(self):
        while True:
            user_ids = set(self.changes.get())
            while not self.changes.empty():
                user_ids |= self.changes.get()
            try:
                self._publish(user_ids)
            except Exception as error:  # Vacancy is away: pages ask for the whole table when they are back
                logging.warning("not published: %s", error)
