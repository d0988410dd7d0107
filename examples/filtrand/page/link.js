// The page's link: to Vacancy by pusher-js, and whether the server behind it still speaks.

/** The server publishes to `subjects` more often than this while somebody is there. */
const SILENCE_MS = 10_000
const ASK_AGAIN_MS = 2_000
const ANSWER_MS = 3_000

/** What the server says of itself; throws when it does not answer. */
export async function fetchStatus() {
  const response = await fetch("/status", { signal: AbortSignal.timeout(ANSWER_MS) })
  if (!response.ok) throw new Error(`status ${response.status}`)
  return response.json()
}

export class Link {
  #onState
  #onStatus
  #heardMs = Date.now()
  #isAsking = false
  #isServerAway = false
  #isLost = false

  /** `onState` gets connecting, connected, vacancy-away or server-away; `onStatus` what the server says anew. */
  constructor({ key, host, port, tls }, { onState, onStatus }) {
    this.#onState = onState
    this.#onStatus = onStatus
    // region: client
    this.pusher = new window.Pusher(key, {
      cluster: "unused",
      wsHost: host,
      wsPort: port,
      wssPort: port,
      forceTLS: tls,
      enabledTransports: [tls ? "wss" : "ws"],
      unavailableTimeout: 4_000,
    })
    // endregion: client
    this.pusher.connection.bind("state_change", () => this.#changed())
    // When a connection breaks pusher-js waits before its state changes; this it tells at once.
    this.pusher.connection.bind("connecting_in", () => this.#lost())
    setInterval(() => this.#watch(), 1_000)
  }

  /** The server was heard: an event of it came. */
  heard() {
    this.#heardMs = Date.now()
    if (!this.#isServerAway) return
    this.#isServerAway = false
    this.#onState(this.state)
  }

  get state() {
    if (this.#isConnected) return this.#isServerAway ? "server-away" : "connected"
    return this.#isLost ? "vacancy-away" : "connecting"
  }

  get #isConnected() {
    return this.pusher.connection.state === "connected" && !this.#isLost
  }

  #lost() {
    this.#isLost = true
    this.#onState(this.state)
  }

  #changed() {
    const { state } = this.pusher.connection
    if (state === "unavailable") this.#isLost = true
    if (state === "connected") {
      this.#isLost = false
      // What was published while there was no connection is lost: ask.
      this.#ask()
    }
    this.#onState(this.state)
  }

  #watch() {
    this.#tryAgain()
    if (this.#isConnected && SILENCE_MS < Date.now() - this.#heardMs) this.#ask()
  }

  /** By itself pusher-js waits 15 s, then 30 s, then a minute: longer than Vacancy's recovery window. */
  #tryAgain() {
    if (this.pusher.connection.state !== "unavailable") return
    this.pusher.disconnect()
    this.pusher.connect()
  }

  async #ask() {
    if (this.#isAsking) return
    this.#isAsking = true
    try {
      const status = await fetchStatus()
      this.heard()
      this.#onStatus(status)
    } catch {
      this.#isServerAway = true
      this.#heardMs = Date.now() - SILENCE_MS + ASK_AGAIN_MS
      this.#onState(this.state)
    }
    this.#isAsking = false
  }
}
