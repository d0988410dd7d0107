// pusher-js, unchanged, in a real browser: Debian's Chromium, without a window, driven by playwright-core.
// Its own page comes from a free port, so that what it asks of the server is cross-origin, as in real life.
// The server under test needs `subscription_count` and `watchlist` on for the app.
import assert from "node:assert/strict"
import fs from "node:fs"
import http from "node:http"
import { chromium } from "playwright-core"
import { allow, backend, check, Client, finish, Inbox, settings, until } from "./checks.mjs"

const CHROMIUM = "/usr/bin/chromium"
const FLAGS =
  "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(" ")
/** pusher-js gives a streaming response up after so many characters and asks for another. */
const STREAM_CHARS = 256 * 1024
/** How long the server keeps the session of a fallback whose client has gone, and some. */
const GONE_MS = 15_000

allow(120_000)
const server = backend()
const ask = async (path, params) => (await server.get({ path, params })).json()

// ---- the page and the application's endpoints ----

const dist = (file) => fs.readFileSync(new URL(`node_modules/pusher-js/dist/web/${file}`, import.meta.url))
const html = (build) =>
  `<!doctype html><meta charset="utf-8"><title>pusher-js</title><link rel="icon" href="data:,">
<script src="/${build}.js"></script><script src="/page.js"></script>`
const files = {
  "/": ["text/html", html("pusher")],
  "/encrypted": ["text/html", html("pusher-with-encryption")],
  "/pusher.js": ["text/javascript", dist("pusher.js")],
  "/pusher-with-encryption.js": ["text/javascript", dist("pusher-with-encryption.js")],
  "/page.js": ["text/javascript", fs.readFileSync(new URL("browser_page.js", import.meta.url))],
}

const endpoints = {
  /** Who the member is stands in the address; without it the server takes the signed-in user. */
  "/auth": (form, member) => server.authorizeChannel(form.get("socket_id"), form.get("channel_name"), member),
  "/user-auth": (form, user) => server.authenticateUser(form.get("socket_id"), user),
}

const site = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://page")
  const chunks = []
  request.on("data", (chunk) => chunks.push(chunk))
  request.on("end", () => {
    const endpoint = request.method === "POST" ? endpoints[pathname] : undefined
    if (endpoint !== undefined) {
      const form = new URLSearchParams(Buffer.concat(chunks).toString("utf8"))
      const who = searchParams.get("who")
      const isFor = pathname !== "/auth" || form.get("channel_name").startsWith("presence-")
      const answer = endpoint(form, who !== null && isFor ? JSON.parse(who) : undefined)
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer))
      return
    }
    const [type, content] = files[pathname] ?? ["text/plain", undefined]
    response.writeHead(content === undefined ? 404 : 200, { "content-type": `${type}; charset=utf-8` }).end(content)
  })
})
await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve))
const origin = `http://127.0.0.1:${site.address().port}`

// ---- the browser ----

let browser
await check("Debian's chromium starts", async () => {
  assert.ok(fs.existsSync(CHROMIUM), `${CHROMIUM} is not there: run ./test, which installs it`)
  browser = await chromium.launch({ executablePath: CHROMIUM, headless: true, chromiumSandbox: false, args: FLAGS })
})
if (browser === undefined) finish()

const complaints = []

/** A page of a browsing context of its own with one pusher-js client; its inboxes hold what the page reports. */
class Tab {
  frames = new Inbox()
  states = new Inbox()
  errors = new Inbox()
  users = new Inbox()
  watchlist = new Inbox()
  events = new Inbox()
  bound = new Inbox()
  requests = []
  sockets = []

  /** Connects; `member` is who it is in presence channels, `user` who it signs in as. */
  static async open(transport, { member, user, build = "" } = {}) {
    const tab = new Tab()
    tab.context = await browser.newContext()
    tab.page = await tab.context.newPage()
    tab.page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) complaints.push(`${transport}: ${message.text()}`)
    })
    tab.page.on("pageerror", (error) => complaints.push(`${transport}: ${error.message}`))
    tab.page.on("request", (request) => {
      if (request.url().startsWith(origin) || !request.url().startsWith("http")) return
      tab.requests.push(new URL(request.url()).pathname)
    })
    tab.page.on("websocket", (socket) => tab.sockets.push(socket.url()))
    const kinds = {
      frame: tab.frames, state: tab.states, error: tab.errors, user: tab.users,
      watchlist: tab.watchlist, event: tab.events, bound: tab.bound,
    }
    await tab.page.exposeFunction("report", (kind, item) => kinds[kind].push(item))
    await tab.page.goto(`${origin}/${build}`)
    const who = (it) => (it === undefined ? "" : `?who=${encodeURIComponent(JSON.stringify(it))}`)
    const options = {
      cluster: "x",
      wsHost: settings.host,
      wsPort: settings.port,
      httpHost: settings.host,
      httpPort: settings.port,
      forceTLS: false,
      enabledTransports: [transport],
      channelAuthorization: { endpoint: `/auth${who(member)}`, transport: "ajax" },
      userAuthentication: { endpoint: `/user-auth${who(user)}`, transport: "ajax" },
    }
    await tab.page.evaluate(([key, it]) => window.tab.connect(key, it), [settings.key, options])
    await tab.states.until("the state connected", (state) => state === "connected")
    return tab
  }

  run(body, argument) {
    return this.page.evaluate(body, argument)
  }

  socketId() {
    return this.run(() => window.tab.pusher.connection.socket_id)
  }

  transport() {
    return this.run(() => window.tab.transport())
  }

  members(name) {
    return this.run((channel) => window.tab.members(channel), name)
  }

  /** Subscribes, waits for the confirmation and gives its data. */
  async subscribe(name) {
    await this.run((channel) => window.tab.subscribe(channel), name)
    const answers = ["pusher:subscription_succeeded", "pusher:subscription_error"]
    const answer = await this.events.until(`the answer to subscribing to ${name}`, (it) => it.channel === name && answers.includes(it.event))
    if (answer.event === "pusher:subscription_error") throw new Error(`${name} was refused: ${JSON.stringify(answer.data)}`)
    return answer.data
  }

  bind(channel, event) {
    return this.run((it) => window.tab.bind(...it), [channel, event])
  }

  trigger(channel, event, data) {
    return this.run(([name, ...it]) => window.tab.pusher.channel(name).trigger(...it), [channel, event, data])
  }

  /** The data of the first event of that name in that channel. */
  async event(channel, event) {
    return (await this.events.until(`${event} in ${channel}`, (it) => it.channel === channel && it.event === event)).data
  }

  /** The names of the events of a channel so far, in order. */
  names(channel) {
    return this.events.items.filter((it) => it.channel === channel).map((it) => it.event)
  }

  async signin() {
    await this.run(() => window.tab.pusher.signin())
    await this.frames.until("pusher:signin_success", (it) => it.event === "pusher:signin_success")
  }

  disconnect() {
    return this.run(() => window.tab.pusher.disconnect())
  }

  close() {
    return this.context.close()
  }
}

const same = (what, get, want) => until(what, get, (got) => JSON.stringify(got) === JSON.stringify(want))

/** Events for some responses of a stream, as fast as the API takes them: each arrives once, in order. */
async function flood(tab, channel, letters) {
  const before = tab.requests.filter((path) => path.endsWith("/xhr_streaming")).length
  const socketId = await tab.socketId()
  const states = tab.states.items.length
  const count = 90
  const text = letters.repeat(Math.floor(9_000 / Buffer.byteLength(letters)))
  for (let from = 0; from < count; from += 10) {
    const batch = Array.from({ length: 10 }, (_, n) => ({ channel, name: "flood", data: { n: from + n, text } }))
    await server.triggerBatch(batch)
  }
  await server.trigger(channel, "flood-end", {})
  await tab.event(channel, "flood-end")
  const flood = tab.events.items.filter((it) => it.channel === channel && it.event === "flood")
  assert.deepEqual(flood.map((it) => it.data.n), Array.from({ length: count }, (_, n) => n))
  assert.ok(flood.every((it) => it.data.text === text), "an event arrived changed")
  assert.equal(await tab.socketId(), socketId)
  assert.equal(tab.states.items.length, states, "the state changed meanwhile")
  const reopened = tab.requests.filter((path) => path.endsWith("/xhr_streaming")).length - before
  const least = (await tab.transport()) === "xhr_streaming" ? Math.floor((count * text.length) / (STREAM_CHARS + 10_000)) : 0
  assert.ok(least <= reopened, `${reopened} new streams, at least ${least} are needed for so much`)
}

// ---- each transport ----

const paths = {
  ws: { needed: undefined, sent: undefined },
  xhr_streaming: { needed: "/xhr_streaming", sent: "/xhr_send" },
  xhr_polling: { needed: "/xhr", sent: "/xhr_send" },
}

for (const transport of Object.keys(paths)) {
  const id = transport.replace("_", "-")
  const [hidden, room] = [`private-web-${id}`, `presence-web-${id}`]
  const peer = new Client({ member: { user_id: "peer", user_info: { name: "Peer" } } })
  let tab

  await check(`${transport}: pusher-js connects by it and by nothing else`, async () => {
    tab = await Tab.open(transport, { member: { user_id: "ada", user_info: { name: "Ada" } } })
    assert.match(await tab.socketId(), /^\d+\.\d+$/)
    assert.equal(await tab.transport(), transport)
    const { needed } = paths[transport]
    assert.equal(tab.sockets.length, needed === undefined ? 1 : 0)
    assert.equal(tab.requests.some((path) => path.endsWith(needed)), needed !== undefined)
  })
  if (tab === undefined) continue

  for (const name of [`web-${id}`, hidden, room]) {
    await check(`${transport}: subscribes to ${name} and receives a triggered event`, async () => {
      await tab.subscribe(name)
      await server.trigger(name, "greeting", { text: `hällo ${name}` })
      assert.deepEqual(await tab.event(name, "greeting"), { text: `hällo ${name}` })
    })
  }

  await check(`${transport}: sends client events that another client receives`, async () => {
    await peer.connected()
    for (const name of [hidden, room]) {
      const channel = await peer.subscribe(name)
      const got = new Inbox()
      channel.bind("client-typing", (data, metadata) => got.push({ data, user: metadata?.user_id }))
      await tab.trigger(name, "client-typing", { on: true })
      const user = name === room ? "ada" : undefined
      assert.deepEqual(await got.until("client-typing", () => true), { data: { on: true }, user })
    }
  })

  await check(`${transport}: receives the client event of another client`, async () => {
    await tab.bind(room, "client-reply")
    peer.pusher.channel(room).trigger("client-reply", { n: 1 })
    const { data, metadata } = await tab.bound.until("client-reply", () => true)
    assert.deepEqual([data, metadata.user_id], [{ n: 1 }, "peer"])
    assert.equal(tab.names(room).includes("client-typing"), false, "its own client event came back")
  })

  for (const [letters, what] of [["x", "800 KB"], ["é€😀", "800 KB of other alphabets"]]) {
    await check(`${transport}: ${what} of events arrive once each and in order`, async () => {
      const name = `web-${id}-flood-${letters.length}`
      await tab.subscribe(name)
      await flood(tab, name, letters)
    })
  }

  await check(`${transport}: unsubscribing leaves the channel`, async () => {
    await tab.subscribe(`web-${id}-leave`)
    assert.equal((await ask(`/channels/web-${id}-leave`, {})).occupied, true)
    await tab.run((name) => window.tab.pusher.unsubscribe(name), `web-${id}-leave`)
    await same("occupied", async () => (await ask(`/channels/web-${id}-leave`, {})).occupied, false)
  })

  await check(`${transport}: disconnecting leaves its channels`, async () => {
    await tab.disconnect()
    const frame = await peer.frames.until(
      `member_removed in ${room}`,
      (it) => it.channel === room && it.event === "pusher_internal:member_removed",
      GONE_MS,
    )
    assert.equal(frame.data.user_id, "ada")
    await same("occupied", async () => (await ask(`/channels/web-${id}`, {})).occupied, false)
  })

  peer.close()
  await tab.close()
}

// ---- what pusher-js makes of the protocol, over each transport ----

for (const transport of Object.keys(paths)) {
  const id = transport.replace("_", "-")
  const ada = await Tab.open(transport, { build: "encrypted", member: { user_id: "ada", user_info: { name: "Ada" } } })
  const bob = await Tab.open(transport, { build: "encrypted", member: { user_id: "bob", user_info: { name: "Bob" } } })
  const [adaMember, bobMember] = [{ id: "ada", info: { name: "Ada" } }, { id: "bob", info: { name: "Bob" } }]
  const room = `presence-web-room-${id}`

  await check(`${transport}: presence members: count, me, each and get`, async () => {
    assert.deepEqual(await ada.subscribe(room), { count: 1, me: adaMember, each: [adaMember] })
    assert.deepEqual(await bob.subscribe(room), { count: 2, me: bobMember, each: [adaMember, bobMember] })
    assert.deepEqual(await bob.run((name) => window.tab.pusher.channel(name).members.get("ada"), room), adaMember)
    assert.equal(await bob.run((name) => window.tab.pusher.channel(name).members.get("nobody"), room), null)
  })

  await check(`${transport}: presence: member_added and member_removed keep the members`, async () => {
    assert.deepEqual(await ada.event(room, "pusher:member_added"), bobMember)
    assert.deepEqual(await ada.members(room), { count: 2, me: adaMember, each: [adaMember, bobMember] })
    await bob.run((name) => window.tab.pusher.unsubscribe(name), room)
    assert.deepEqual(await ada.event(room, "pusher:member_removed"), bobMember)
    assert.deepEqual(await ada.members(room), { count: 1, me: adaMember, each: [adaMember] })
    assert.equal(ada.names(room).filter((name) => name === "pusher:member_added").length, 1)
  })

  for (const kind of ["cache", "private-cache", "presence-cache", "private-encrypted-cache"]) {
    await check(`${transport}: ${kind}- channels: cache_miss, then the last event for who comes later`, async () => {
      const name = `${kind}-web-${id}`
      await ada.subscribe(name)
      await ada.event(name, "pusher:cache_miss")
      await server.trigger(name, "price", { n: 1 })
      await server.trigger(name, "price", { n: 2 })
      await ada.events.until("the second event", (it) => it.channel === name && it.data?.n === 2)
      assert.deepEqual(await ask(`/channels/${name}`, { info: "cache" }).then(({ cache }) => typeof cache), "object")
      await bob.subscribe(name)
      assert.deepEqual(await bob.event(name, "price"), { n: 2 })
      await server.trigger(name, "after", {})
      await bob.event(name, "after")
      const seen = bob.names(name).filter((event) => !["pusher:subscription_count", "pusher:member_added"].includes(event))
      assert.deepEqual(seen, ["pusher:subscription_succeeded", "price", "after"])
    })
  }

  await check(`${transport}: private-encrypted- channels: what the SDK encrypts arrives in clear`, async () => {
    const name = `private-encrypted-web-${id}`
    await ada.subscribe(name)
    await server.trigger(name, "secret", { text: "schön geheim" })
    assert.deepEqual(await ada.event(name, "secret"), { text: "schön geheim" })
    const frame = await ada.frames.until("the frame", (it) => it.channel === name && it.event === "secret")
    assert.deepEqual(Object.keys(frame.data).sort(), ["ciphertext", "nonce"])
  })

  await check(`${transport}: subscription_count: the event and the property of the channel`, async () => {
    const name = `web-count-${id}`
    const counted = (tab, n) =>
      tab.events.until(`the count ${n}`, (it) => it.channel === name && it.event === "pusher:subscription_count" && it.data.subscription_count === n)
    const property = (tab) => tab.run((channel) => window.tab.pusher.channel(channel).subscriptionCount, name)
    await ada.subscribe(name)
    await counted(ada, 1)
    await bob.subscribe(name)
    await Promise.all([counted(ada, 2), counted(bob, 2)])
    assert.deepEqual([await property(ada), await property(bob)], [2, 2])
    await bob.run((channel) => window.tab.pusher.unsubscribe(channel), name)
    await same("the property", () => property(ada), 1)
    assert.equal(ada.names(room).includes("pusher:subscription_count"), false, "a presence channel was told a count")
  })

  await Promise.all([ada.close(), bob.close()])

  const user = (name, ...watchlist) => ({ id: `${name}-${id}`, user_info: { name }, watchlist: watchlist.map((it) => `${it}-${id}`) })
  const cleo = await Tab.open(transport, { user: user("cleo", "dora", "emil") })
  let dora

  await check(`${transport}: signin: pusher.user knows who it is, and the watchlist who is there`, async () => {
    dora = await Tab.open(transport, { user: user("dora") })
    await dora.signin()
    await cleo.signin()
    assert.equal(await cleo.run(() => window.tab.pusher.user.user_data.id), `cleo-${id}`)
    const online = await cleo.watchlist.until("who is online", (it) => it.name === "online")
    const offline = await cleo.watchlist.until("who is offline", (it) => it.name === "offline")
    assert.deepEqual([online.user_ids, offline.user_ids], [[`dora-${id}`], [`emil-${id}`]])
  })

  await check(`${transport}: sendToUser reaches pusher.user.bind of that user and of nobody else`, async () => {
    await cleo.frames.until("the user's channel", (it) => it.event === "pusher_internal:subscription_succeeded")
    await server.sendToUser(`cleo-${id}`, "letter", { text: "for you" })
    const { data } = await cleo.users.until("letter", (it) => it.event === "letter")
    assert.deepEqual(data, { text: "for you" })
    await dora.frames.until("the user's channel", (it) => it.event === "pusher_internal:subscription_succeeded")
    await server.sendToUser(`dora-${id}`, "note", {})
    await dora.users.until("note", (it) => it.event === "note")
    assert.equal(dora.users.items.length, 1)
  })

  await check(`${transport}: a presence channel takes the signed-in user when the endpoint names none`, async () => {
    const name = `presence-web-users-${id}`
    const { count, me } = await cleo.subscribe(name)
    assert.deepEqual([count, me], [1, { id: `cleo-${id}`, info: { name: "cleo" } }])
  })

  await check(`${transport}: the watchlist tells who comes and who goes`, async () => {
    const emil = await Tab.open(transport, { user: user("emil") })
    await emil.signin()
    await cleo.watchlist.until("emil online", (it) => it.name === "online" && it.user_ids.includes(`emil-${id}`))
    const before = cleo.watchlist.items.length
    await emil.disconnect()
    const gone = (it) => it.name === "offline" && it.user_ids.includes(`emil-${id}`) && before <= cleo.watchlist.items.indexOf(it)
    await cleo.watchlist.until("emil offline", gone, GONE_MS)
    await emil.close()
  })

  await check(`${transport}: terminateUserConnections ends that user's connection for good`, async () => {
    await server.terminateUserConnections(`dora-${id}`)
    const final = await dora.states.until("a final state", (state) => ["disconnected", "failed"].includes(state))
    assert.equal(await dora.run(() => window.tab.pusher.connection.state), final)
    assert.equal(await cleo.run(() => window.tab.pusher.connection.state), "connected")
  })

  await Promise.all([cleo.close(), dora.close()])
}

await check("nothing unexpected in the console of any page", async () => {
  // Over HTTP a last message may come after the session that its page has just ended: then there is none.
  const late = /^xhr_(streaming|polling): Failed to load resource: .* 404 /
  assert.deepEqual(complaints.filter((text) => !late.test(text)), [])
})

await browser.close()
finish()
