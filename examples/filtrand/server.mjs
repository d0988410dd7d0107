// filtrand: live items about the subjects that somebody looks at, and work for no others.
//
//   node server.mjs [STREAM]     see stream.mjs for what a stream may be
import http from "node:http"
import { setTimeout as delay } from "node:timers/promises"
import Pusher from "pusher"
import { Linger } from "./linger.mjs"
import { Matching } from "./matching.mjs"
import { Occupancy, toldList } from "./occupancy.mjs"
import { Outbox, reason } from "./outbox.mjs"
import { channelOf, subjectOf } from "./page/subject.js"
import { serveFile } from "./site.mjs"
import { openStream } from "./stream.mjs"
import { Topics } from "./topics.mjs"
import { receiveWebhook } from "./webhooks.mjs"

const { PORT = "3000", VACANCY_URL = "http://127.0.0.1:6001", FILTRAND_STREAM = "replay", FILTRAND_RATE = "6" } = process.env
const SNAPSHOT_MS = 1_000
/** The page takes a longer silence for our absence. */
const HEARTBEAT_MS = 4_000
/** An event has at most 10 KB; more subjects than this are counted and not listed. */
const SUBJECTS_LISTED = 40
const WEBHOOKS_KEPT = 40
const SUGGESTIONS = 12
/** So long after the last page was closed the stream is still read: to connect to it again is dear. */
const LINGER_MS = 30_000

const vacancy = new URL(VACANCY_URL)
const isSecure = vacancy.protocol === "https:"
const address = { key: "app-key", host: vacancy.hostname, port: Number(vacancy.port) || (isSecure ? 443 : 80), tls: isSecure }
const webSocket = `${isSecure ? "wss" : "ws"}://${address.host}:${address.port}`

// region: pusher
const pusher = new Pusher({
  appId: "1",
  key: "app-key",
  secret: "app-secret",
  host: address.host,
  port: address.port,
  useTLS: isSecure,
  timeout: 5_000,
})
// endregion: pusher

const startedMs = Date.now()
const stream = openStream(process.argv[2] ?? FILTRAND_STREAM, { rate: Number(FILTRAND_RATE) })
const topics = new Topics()
stream.sample?.forEach((text) => topics.see(text))

const occupancy = new Occupancy()
const outbox = new Outbox(pusher, (channel) => occupancy.has(channel))
const matching = new Matching()
/** Whether the stream is read: while somebody has the page open, or a subject. */
const reading = new Linger(LINGER_MS)
/** What came in, for the side panel: the last webhooks and the told list. */
const journal = []
let noted = 0
let seen = 0
let isStale = true

// region: matter
/** A webhook says that a channel was occupied or vacated. */
function onWebhook({ name, channel, seq, at_ms }, attempt) {
  if (name !== "channel_occupied" && name !== "channel_vacated") return
  const effect = learn(channel, name === "channel_occupied", { from: name, seq, since_ms: at_ms })
  note({ name, channel, seq, at_ms, attempt, effect })
}

/** What is new starts the work for a subject, or stops it. There is no other list of subjects. */
function learn(channel, isOccupied, why) {
  if (!occupancy.learn(channel, isOccupied, why.seq)) return "ignored"
  isStale = true
  const subject = subjectOf(channel)
  if (subject !== undefined) {
    if (isOccupied) matching.start(subject, why)
    else matching.stop(subject)
  }
  reading.audience(matching.size > 0 || occupancy.has("subjects"))
  const what = subject === undefined ? "publishing" : "matching"
  return isOccupied ? `starts ${what}` : `stops ${what}`
}

async function readStream() {
  for (;;) {
    await reading.wanted()
    for await (const text of stream.open()) {
      seen += 1
      const item = { id: `${startedMs}-${seen}`, text, at_ms: Date.now() }
      for (const subject of matching.count(text)) outbox.publish(channelOf(subject), "item", item)
      topics.see(text)
      if (!reading.isWanted) break
    }
    if (reading.isWanted) return
  }
}
// endregion: matter

// region: start
/** At the start nothing is known: what was told before we were here is in Vacancy's told list. */
async function catchUp() {
  for (;;) {
    try {
      let subjects = 0
      for await (const [channel, { seq, since_ms }] of toldList(pusher)) {
        if (learn(channel, true, { from: "told list", seq, since_ms }) === "starts matching") subjects += 1
      }
      return note({ name: "told list", subjects, at_ms: Date.now(), effect: "read" })
    } catch (error) {
      console.log(`filtrand: the told list cannot be read yet: ${reason(error)}`)
    }
    await delay(1_000)
  }
}
// endregion: start

// region: tell
/** Keeps what came in, and shows it to those who look. */
function note(entry) {
  noted += 1
  const whole = { id: `${startedMs}-${noted}`, received_ms: Date.now(), ...entry }
  journal.unshift(whole)
  journal.splice(WEBHOOKS_KEPT)
  outbox.publish("webhooks", "webhook", whole)
}

/** What all visitors are told: which subjects are live, and how many items each has had. */
function snapshot(listed) {
  const subjects = matching.list()
  return {
    stream: { name: stream.name, seen },
    subjects: subjects.slice(0, listed),
    live: subjects.length,
    suggestions: topics.top(SUGGESTIONS),
  }
}
// endregion: tell

let toldMs = 0
let toldSeen = 0
/** Publishes the list when it changed, and now and then when it did not. */
function tellSubjects() {
  const now = Date.now()
  if (!isStale && seen === toldSeen && now - toldMs < HEARTBEAT_MS) return
  isStale = false
  toldMs = now
  toldSeen = seen
  outbox.publishNewest("subjects", "subjects", snapshot(SUBJECTS_LISTED))
}

async function answer(request, response) {
  const { pathname } = new URL(request.url, "http://filtrand")
  const what = `${request.method} ${pathname}`
  if (what === "POST /webhooks") return receiveWebhook(pusher, request, response, onWebhook)
  if (what === "GET /status") return sendStatus(response)
  if (request.method === "GET") return serveFile(pathname, response, webSocket)
  response.writeHead(405, { allow: "GET" }).end()
}

/** All of it, for a page that was just opened, for tests, and for whoever is curious. */
function sendStatus(response) {
  const status = { ...snapshot(), webhooks: journal, published: outbox.published, started_ms: startedMs, vacancy: address }
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" })
  response.end(JSON.stringify(status, null, 2))
}

const server = http.createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.log(`filtrand: ${request.method} ${request.url}: ${error.message}`)
    if (!response.headersSent) response.writeHead(500)
    response.end()
  })
})

for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(0))

server.listen(Number(PORT), "127.0.0.1", () => {
  console.log(`filtrand: the stream is ${stream.name}`)
  console.log(`filtrand: http://127.0.0.1:${PORT}/`)
  catchUp()
  setInterval(tellSubjects, SNAPSHOT_MS)
  readStream().then(
    () => console.log("filtrand: the stream has ended"),
    (error) => console.log(`filtrand: the stream failed: ${error.message}`),
  )
})
