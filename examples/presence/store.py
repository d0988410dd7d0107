"""Who is where, and since when: every change that Vacancy told, in one SQLite table.

A change has a key: a user on a page (`user_id` and `channel`), a user anywhere (`channel` is empty), or
somebody in a channel (`user_id` is empty). Vacancy numbers the changes of each key by `seq`. So the state
of a key is its change with the largest number, in whatever order changes come, and however often.
"""

import sqlite3
import threading
import time

PAGE_PREFIX = "presence-page-"
DAY_MS = 86_400_000

COMING = {"user_online", "member_added", "channel_occupied"}
GOING = {"user_offline", "member_removed", "channel_vacated"}

# region: schema
SCHEMA = """
CREATE TABLE IF NOT EXISTS change (
  user_id TEXT NOT NULL,
  channel TEXT NOT NULL,
  seq     INTEGER NOT NULL,
  here    INTEGER NOT NULL,  -- 1: came, 0: went
  at_ms   INTEGER NOT NULL,
  gone_ms INTEGER,           -- came, but at this time Vacancy's list did not have it any more
  PRIMARY KEY (user_id, channel, seq)
) WITHOUT ROWID;

CREATE VIEW IF NOT EXISTS newest AS
  SELECT user_id, channel, max(seq) AS seq, here AND gone_ms IS NULL AS here, at_ms AS since_ms
  FROM change GROUP BY user_id, channel;
"""
# endregion: schema

# A user's time online lasts from a change to the next one, or until now. What is outside of today is cut off.
TODAY = """
WITH time AS (
  SELECT user_id, here, max(at_ms, :midnight) AS from_ms,
    coalesce(lead(at_ms) OVER (PARTITION BY user_id ORDER BY seq), gone_ms, :now) AS until_ms
  FROM change WHERE channel = '')
SELECT user_id, sum(max(0, until_ms - from_ms)) FROM time WHERE here AND user_id <> '' GROUP BY user_id
"""

def now_ms():
    return time.time_ns() // 1_000_000


class Store:
    def __init__(self, path):
        self.lock = threading.RLock()
        self.db = sqlite3.connect(path, check_same_thread=False)
        self.db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + SCHEMA)

    # region: record
    def record(self, events):
        """Stores the events of one webhook in one transaction; gives the users for whom something changed."""
        changed = set()
        with self.lock, self.db:
            for event in events:
                if event["name"] in COMING | GOING:
                    user_id, channel = event.get("user_id", ""), event.get("channel", "")
                    if event["name"].startswith("user_"):
                        channel = ""  # it names the user's own channel, which is no page
                    here = event["name"] in COMING
                    if self._insert(user_id, channel, event["seq"], here, event["at_ms"]):
                        self._forget(user_id, channel)
                        changed.add(user_id)
        return changed

    def _insert(self, user_id, channel, seq, here, at_ms):
        """What is there already is left as it is. Tells whether it was not."""
        values = (user_id, channel, seq, here, at_ms)
        insert = "INSERT OR IGNORE INTO change (user_id, channel, seq, here, at_ms) VALUES (?, ?, ?, ?, ?)"
        return self.db.execute(insert, values).rowcount == 1

    # endregion: record

    def _forget(self, user_id, channel):
        """Deletes what ended before yesterday. The newest change always stays, for its number."""
        old = """DELETE FROM change WHERE (user_id, channel) = (:user_id, :channel) AND seq < (
          SELECT max(seq) FROM change WHERE (user_id, channel) = (:user_id, :channel) AND at_ms < :before)"""
        self.db.execute(old, {"user_id": user_id, "channel": channel, "before": now_ms() - 2 * DAY_MS})

    def here(self):
        """Each (user_id, channel) that is here, with its seq."""
        with self.lock:
            rows = self.db.execute("SELECT user_id, channel, seq FROM newest WHERE here")
            return {(user_id, channel): seq for user_id, channel, seq in rows}

    # region: agree
    def agree(self, held, told):
        """Makes the table agree with the told list: (user_id, channel) to (seq, since_ms).

        `held` is what was here before the list was asked for. What came or went meanwhile has a larger
        number and is not touched. Of what is not told we do not know when it went: not later than now. A
        webhook that is still under way will tell when, and then its time counts.
        """
        with self.lock, self.db:
            for (user_id, channel), (seq, since_ms) in told.items():
                self._insert(user_id, channel, seq, True, since_ms)
            for (user_id, channel), seq in held.items():
                if (user_id, channel) not in told:
                    gone = "UPDATE change SET gone_ms = ? WHERE (user_id, channel, seq) = (?, ?, ?) AND gone_ms IS NULL"
                    self.db.execute(gone, (now_ms(), user_id, channel, seq))

    # endregion: agree

    def is_occupied(self, channel):
        with self.lock:
            query = "SELECT here FROM newest WHERE user_id = '' AND channel = ?"
            return self.db.execute(query, (channel,)).fetchone() == (1,)

    def table(self, only=None):
        """Everybody who was online today, or some of them, as of now. A day is one of UTC."""
        with self.lock:
            now = now_ms()
            today = dict(self.db.execute(TODAY, {"now": now, "midnight": now - now % DAY_MS}))
            newest = self.db.execute("SELECT user_id, channel, here, since_ms FROM newest").fetchall()
        online = {user_id: since_ms for user_id, channel, here, since_ms in newest if here and channel == ""}
        pages = {}
        for user_id, channel, here, _ in newest:
            if here and channel.startswith(PAGE_PREFIX):
                pages.setdefault(user_id, []).append(channel.removeprefix(PAGE_PREFIX))
        users = [
            {
                "user_id": user_id,
                "online": user_id in online,
                "since_ms": online.get(user_id),
                "pages": sorted(pages.get(user_id, [])),
                "today_ms": today[user_id],
            }
            for user_id in sorted(today if only is None else only & today.keys())
            if user_id in online or today[user_id] > 0
        ]
        return {"as_of_ms": now, "users": users}
