// Where the items come from: short texts, one after the other, as an asynchronous iterable.
import fs from "node:fs"
import readline from "node:readline"
import { setTimeout as delay } from "node:timers/promises"

const REPLAY = new URL("replay.txt", import.meta.url)
const ITEM_LENGTH_MAX = 280
/** The least time between two items of a stream that is not ours. */
const PACE_MS = 10
const RECONNECT_MS = [1_000, 30_000]
/** A source that is silent for so long is connected to anew. */
const SILENCE_MS = 60_000
/** More than this without the end of a line is no stream of events. */
const LINE_MAX = 1024 * 1024

// region: stream
/** `replay`, `-` for standard input, or the address of server-sent events: its name, a sample, and how it is opened. */
export function openStream(source, { rate = 6 } = {}) {
  if (source === "replay") {
    const texts = fs.readFileSync(REPLAY, "utf8").split("\n").map(tidy).filter(Boolean)
    return { name: "the replay", sample: texts, open: () => replay(texts, rate) }
  }
  if (source === "-") return { name: "standard input", open: standardInput() }
  if (/^https?:\/\//.test(source)) return { name: new URL(source).host, open: () => serverSentEvents(source) }
  throw new Error(`no such stream: ${source}. It is replay, - (standard input), or the URL of server-sent events`)
}
// endregion: stream

/** The texts from a place by chance, without end; `rate` per second, more or less. */
async function* replay(texts, rate) {
  for (let at = Math.floor(Math.random() * texts.length); ; at = (at + 1) % texts.length) {
    await delay((1000 / rate) * (0.4 + 1.2 * Math.random()))
    yield texts[at]
  }
}

/** There is one, so it goes on where it was when it is opened again. */
function standardInput() {
  let input
  return async function* lines() {
    input ??= readline.createInterface({ input: process.stdin, crlfDelay: Infinity })[Symbol.asyncIterator]()
    for (let next; !(next = await input.next()).done; ) {
      const item = tidy(next.value)
      if (item === "") continue
      yield item
      await delay(PACE_MS)
    }
  }
}

/** The items of an address, connected to again whenever it ends. */
export async function* serverSentEvents(url, { reconnectMs = RECONNECT_MS } = {}) {
  const [least, most] = reconnectMs
  const place = { lastId: undefined }
  for (let wait = least; ; wait = Math.min(2 * wait, most)) {
    try {
      for await (const data of connection(url, place)) {
        wait = least
        const item = itemOf(data)
        if (item === "") continue
        yield item
        await delay(PACE_MS)
      }
      console.log("filtrand: the stream ended and is connected to again")
    } catch (error) {
      console.log(`filtrand: the stream broke and is connected to again: ${error.cause?.code ?? error.message}`)
    }
    await delay(wait)
  }
}

/** The data of each event of one connection. */
async function* connection(url, place) {
  const abort = new AbortController()
  const silence = setTimeout(() => abort.abort(new Error("it was silent")), SILENCE_MS)
  try {
    const headers = { accept: "text/event-stream", "user-agent": "filtrand (an example of Vacancy)" }
    if (place.lastId !== undefined) headers["last-event-id"] = place.lastId
    const response = await fetch(url, { headers, signal: abort.signal })
    if (!response.ok) throw new Error(`status ${response.status}`)
    let data = []
    for await (const line of linesOf(response.body, () => silence.refresh())) {
      if (line === "") {
        if (data.length > 0) yield data.join("\n")
        data = []
        continue
      }
      const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line)
      if (field === "data") data.push(value)
      if (field === "id") place.lastId = value
    }
  } finally {
    clearTimeout(silence)
    abort.abort()
  }
}

async function* linesOf(body, heard) {
  let rest = ""
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    heard()
    // A \r at the end may be the first half of a line's end.
    const parts = (rest + text).split(/\r\n|\n|\r(?!$)/)
    rest = parts.pop()
    if (LINE_MAX < rest.length) throw new Error("a line is too long")
    yield* parts
  }
}

/** The text of an event: of JSON its title and comment, or its text; else all of it. */
export function itemOf(data) {
  let json
  try {
    json = JSON.parse(data)
  } catch {
    return tidy(data)
  }
  if (typeof json === "string") return tidy(json)
  const texts = ["title", "comment", "text"].map((field) => json?.[field])
  return tidy(texts.filter((text) => typeof text === "string" && text !== "").join(": "))
}

/** One line of bounded length. */
function tidy(text) {
  const line = text.toWellFormed().replaceAll(/[\s\p{Cc}]+/gu, " ").trim()
  return line.length <= ITEM_LENGTH_MAX ? line : `${line.slice(0, ITEM_LENGTH_MAX).toWellFormed()}…`
}
