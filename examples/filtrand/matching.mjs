// The subjects that are matched at the moment.
import { channelOf, mentionOf } from "./page/subject.js"

export class Matching {
  #subjects = new Map()

  /** `why`: `from` (which webhook, or the told list), `seq`, and `since_ms`. */
  start(subject, why) {
    this.#subjects.set(subject, { ...why, items: 0, mention: mentionOf(subject) })
  }

  stop(subject) {
    this.#subjects.delete(subject)
  }

  /** The subjects that a text mentions; each has one item more now. */
  count(text) {
    const mentioned = [...this.#subjects].filter(([, { mention }]) => text.search(mention) !== -1)
    for (const [, about] of mentioned) about.items += 1
    return mentioned.map(([subject]) => subject)
  }

  get size() {
    return this.#subjects.size
  }

  /** What is matched, the newest first. */
  list() {
    const about = ([subject, { from, seq, since_ms, items }]) => ({ subject, channel: channelOf(subject), items, since_ms, from, seq })
    return Array.from(this.#subjects, about).toSorted((a, b) => b.since_ms - a.since_ms)
  }
}
