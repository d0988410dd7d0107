// For work that is dear to begin: it goes on for a while after the last of its audience has left.

// region: linger
export class Linger {
  #lingerMs
  #timer
  #waiting = []
  isWanted = false

  constructor(lingerMs) {
    this.#lingerMs = lingerMs
  }

  /** To be called whenever the audience may have changed. */
  audience(isThere) {
    clearTimeout(this.#timer)
    if (!isThere) {
      this.#timer = setTimeout(() => (this.isWanted = false), this.#lingerMs)
      return
    }
    this.isWanted = true
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Waits until there is somebody. */
  async wanted() {
    if (!this.isWanted) await new Promise((resolve) => this.#waiting.push(resolve))
  }
}
// endregion: linger
