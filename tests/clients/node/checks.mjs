// What every program here shares: the settings, the named checks, and waiting for events with a deadline.
import http from "node:http"
import Pusher from "pusher"
import PusherJs from "pusher-js"

const PROGRAM_DEADLINE_MS = 90_000
const EVENT_DEADLINE_MS = 20_000

function setting(name, otherwise) {
  const value = process.env[name] ?? otherwise
  if (value === undefined) {
    console.log(`not ok - settings: the environment variable ${name} is not set`)
    process.exit(1)
  }
  return value
}

export const settings = {
  host: setting("VACANCY_HOST", "127.0.0.1"),
  port: Number(setting("VACANCY_PORT")),
  appId: setting("VACANCY_APP_ID"),
  key: setting("VACANCY_APP_KEY"),
  secret: setting("VACANCY_APP_SECRET"),
  // A server that speaks TLS itself; NODE_EXTRA_CA_CERTS names what signed its certificate.
  useTLS: process.env.VACANCY_TLS === "1",
  webhookPort: process.env.WEBHOOK_PORT === undefined ? undefined : Number(process.env.WEBHOOK_PORT),
}

let failed = 0

let deadline

/** Gives the program so long from now on. */
export function allow(deadlineMs) {
  clearTimeout(deadline)
  deadline = setTimeout(() => {
    console.log(`not ok - the program ends in time: not done after ${deadlineMs} ms`)
    process.exit(1)
  }, deadlineMs)
}

allow(PROGRAM_DEADLINE_MS)

/** Runs one named check and prints its line; a failed check does not stop the next. */
export async function check(sentence, body) {
  try {
    await body()
    console.log(`ok - ${sentence}`)
  } catch (error) {
    failed += 1
    console.log(`not ok - ${sentence}: ${reason(error)}`)
  }
}

function reason(error) {
  const text = error?.body ? `${error.message}: ${error.body}` : String(error?.message ?? error)
  return text.replaceAll(/\s*\n\s*/g, " ")
}

/** Ends the program: exit code 0 when every check passed. */
export function finish() {
  process.exit(failed === 0 ? 0 : 1)
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Asks until the answer is as wanted, and gives it; an error counts as another answer. */
export async function until(what, ask, isWanted, deadlineMs = EVENT_DEADLINE_MS) {
  const end = Date.now() + deadlineMs
  for (;;) {
    const got = await ask().catch((error) => error.message)
    if (isWanted(got)) return got
    if (end < Date.now()) throw new Error(`waited ${deadlineMs} ms for ${what}; now ${JSON.stringify(got)?.slice(0, 400)}`)
    await pause(25)
  }
}

/** What arrived so far, in order; `until` also sees what arrived before it was called. */
export class Inbox {
  items = []
  #waiting = new Set()

  push(item) {
    this.items.push(item)
    for (const look of [...this.#waiting]) look()
  }

  /** The first item that `wanted` accepts, or an error after the deadline. */
  until(what, wanted, deadlineMs = EVENT_DEADLINE_MS) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.items.find(wanted)
        if (found === undefined) return
        this.#waiting.delete(look)
        clearTimeout(timer)
        resolve(found)
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(look)
        const seen = JSON.stringify(this.items).slice(0, 600)
        reject(new Error(`waited ${deadlineMs} ms for ${what}; arrived: ${seen}`))
      }, deadlineMs)
      this.#waiting.add(look)
      look()
    })
  }
}

/** The server SDK, pointed at the server under test. */
export function backend(changes = {}) {
  const { host, port, appId, key, secret, useTLS } = settings
  const encryptionMasterKeyBase64 = Buffer.alloc(32, 7).toString("base64")
  return new Pusher({ appId, key, secret, host, port, useTLS, timeout: 5_000, encryptionMasterKeyBase64, ...changes })
}

/** pusher-js's options for the server under test: who the connection is in presence channels, and who it signs in as. */
export function clientOptions(member, authorize = sign, user) {
  return {
    cluster: "unused",
    wsHost: settings.host,
    wsPort: settings.port,
    wssPort: settings.port,
    forceTLS: settings.useTLS,
    enabledTransports: ["ws"],
    channelAuthorization: {
      customHandler: ({ socketId, channelName }, callback) => callback(null, authorize(socketId, channelName, member)),
    },
    userAuthentication: {
      customHandler: ({ socketId }, callback) => callback(null, backend().authenticateUser(socketId, user)),
    },
  }
}

function sign(socketId, channelName, member) {
  return backend().authorizeChannel(socketId, channelName, channelName.startsWith("presence-") ? member : undefined)
}

/** A pusher-js client with an inbox of every frame it got: `{event, channel, data, user_id}`. */
export class Client {
  frames = new Inbox()
  states = new Inbox()

  constructor({ member = { user_id: "1" }, user, authorize, key = settings.key, options = {} } = {}) {
    this.pusher = new PusherJs(key, { ...clientOptions(member, authorize, user), ...options })
    this.pusher.connection.bind("message", (frame) => this.frames.push(frame))
    this.pusher.connection.bind("state_change", ({ current }) => this.states.push(current))
    this.pusher.connection.bind("error", () => {})
  }

  get socketId() {
    return this.pusher.connection.socket_id
  }

  connected() {
    return this.states.until("the state connected", (state) => state === "connected")
  }

  /** Subscribes and waits for the confirmation. */
  async subscribe(name) {
    const channel = this.pusher.subscribe(name)
    const outcome = new Inbox()
    for (const event of ["pusher:subscription_succeeded", "pusher:subscription_error"]) {
      channel.bind(event, (data) => outcome.push({ event, data }))
    }
    const { event, data } = await outcome.until(`the answer to subscribing to ${name}`, () => true)
    if (event === "pusher:subscription_error") throw new Error(`${name} was refused: ${JSON.stringify(data)}`)
    return channel
  }

  /** Signs in as its user and waits until it has the user's own channel. */
  async signin() {
    this.pusher.signin()
    const answer = await this.frames.until("the answer to the sign-in", (it) => ["pusher:signin_success", "pusher:error"].includes(it.event))
    if (answer.event === "pusher:error") throw new Error(`the sign-in was refused: ${JSON.stringify(answer.data)}`)
    await this.event(`#server-to-user-${this.pusher.user.user_data.id}`, "pusher_internal:subscription_succeeded")
  }

  /** Waits until the server has read all that this client sent so far. */
  async settle() {
    const pong = new Inbox()
    const keep = (frame) => frame.event === "pusher:pong" && pong.push(frame)
    this.pusher.connection.bind("message", keep)
    this.pusher.connection.send_event("pusher:ping", {})
    await pong.until("pusher:pong", () => true)
    this.pusher.connection.unbind("message", keep)
  }

  /** The data of the first event of that name in that channel. */
  async event(channel, event) {
    const frame = await this.frames.until(`${event} in ${channel}`, (it) => it.channel === channel && it.event === event)
    return frame.data
  }

  /** How often an event of that name arrived in that channel. */
  count(channel, event) {
    return this.frames.items.filter((it) => it.channel === channel && it.event === event).length
  }

  close() {
    this.pusher.disconnect()
  }
}

/** A receiver of webhooks: keeps the headers, the raw body and what the SDK says of each request. */
export function receiver(pusher) {
  const webhooks = new Inbox()
  const server = http.createServer((request, response) => {
    const chunks = []
    request.on("data", (chunk) => chunks.push(chunk))
    request.on("end", () => {
      const raw = { headers: request.headers, rawBody: Buffer.concat(chunks).toString("utf8") }
      const webhook = pusher.webhook(raw)
      const valid = webhook.isValid()
      webhooks.push({ ...raw, valid, events: valid ? webhook.getEvents() : [], time: valid ? webhook.getTime() : undefined })
      response.writeHead(200).end()
    })
  })
  return new Promise((resolve, reject) => {
    server.once("error", reject)
    server.listen(settings.webhookPort, "127.0.0.1", () => resolve(webhooks))
  })
}
