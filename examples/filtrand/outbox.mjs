// What is to be published: in batches, at a sensible pace, and again when Vacancy was away.
import { randomUUID } from "node:crypto"
import { setTimeout as delay } from "node:timers/promises"

/** Pusher's limit on the events of one call. */
const BATCH = 10
/** The least time between two calls: what comes meanwhile shares the next one. */
const PACE_MS = 50
const RETRY_MS = [250, 5_000]
/** What waits beyond this is too old to be of interest: the oldest goes. */
const WAITING_MAX = 200

export class Outbox {
  #pusher
  #isOccupied
  #waiting = []
  #runs = false
  published = 0

  constructor(pusher, isOccupied) {
    this.#pusher = pusher
    this.#isOccupied = isOccupied
  }

  // region: publish
  /** Publishes an event soon, if anybody is there to see it. */
  publish(channel, name, data) {
    if (!this.#isOccupied(channel)) return
    // With the key a call that is made again, because its answer was lost, publishes nothing twice.
    this.#waiting.push({ channel, name, data: JSON.stringify(data), idempotency_key: randomUUID() })
    if (WAITING_MAX < this.#waiting.length) this.#waiting.shift()
    if (!this.#runs) this.#run()
  }
  // endregion: publish

  /** The same for what makes the one before it pointless: of its channel only the newest is sent. */
  publishNewest(channel, name, data) {
    this.#waiting = this.#waiting.filter((event) => event.channel !== channel)
    this.publish(channel, name, data)
  }

  async #run() {
    this.#runs = true
    while (this.#waiting.length > 0) {
      await delay(PACE_MS)
      await this.#send(this.#waiting.splice(0, BATCH))
    }
    this.#runs = false
  }

  /** Publishes until it worked, or until nobody is there any more. */
  async #send(events) {
    let wait = RETRY_MS[0]
    for (;;) {
      const batch = events.filter((event) => this.#isOccupied(event.channel))
      if (batch.length === 0) return
      try {
        await this.#pusher.triggerBatch(batch)
        this.published += batch.length
        return
      } catch (error) {
        console.log(`filtrand: publishing failed: ${reason(error)}`)
        if (isOurFault(error)) return
      }
      await delay(wait)
      wait = Math.min(2 * wait, RETRY_MS[1])
    }
  }
}

/** What is refused for what it is, and would be refused again. */
function isOurFault({ status }) {
  return 400 <= status && status < 500 && status !== 429
}

/** What an error of the SDK says, in one line and without addresses. */
export function reason(error) {
  if (error.status !== undefined) return `status ${error.status}: ${error.body}`
  return error.error?.code ?? error.error?.message ?? error.message
}
