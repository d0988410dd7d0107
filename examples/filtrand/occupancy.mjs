// Which channels are occupied, as Vacancy tells it.

/** Of vacant channels so many are remembered, so that a late webhook about one is known to be late. */
const VACANT_KEPT = 10_000

export class Occupancy {
  /** Channel → the newest that is known of it. */
  #known = new Map()
  #vacant = new Set()

  // region: occupancy
  /** Takes what a webhook or the told list says, unless it is not newer than what is known: then false. */
  learn(channel, occupied, seq) {
    if (seq <= this.#known.get(channel)?.seq) return false
    this.#known.set(channel, { occupied, seq })
    this.#forget(channel, occupied)
    return true
  }

  has(channel) {
    return this.#known.get(channel)?.occupied === true
  }
  // endregion: occupancy

  #forget(channel, occupied) {
    this.#vacant.delete(channel)
    if (!occupied) this.#vacant.add(channel)
    if (this.#vacant.size <= VACANT_KEPT) return
    const [oldest] = this.#vacant
    this.#vacant.delete(oldest)
    this.#known.delete(oldest)
  }
}

// region: told
/** What Vacancy last told occupied, page by page: `[channel, { seq, since_ms }]` of each. */
export async function* toldList(pusher) {
  let after
  do {
    const params = { limit: 1000, ...(after && { after }) }
    const answer = await pusher.get({ path: "/occupancy", params })
    const { channels, next } = await answer.json()
    yield* Object.entries(channels)
    after = next
  } while (after)
}
// endregion: told
