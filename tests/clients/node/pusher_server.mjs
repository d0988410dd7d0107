// The Pusher server SDK for Node, unchanged: publishing, asking, and verifying webhooks.
// The server under test posts channel_occupied and channel_vacated to WEBHOOK_PORT, with a short vacated_delay.
import assert from "node:assert/strict"
import { backend, check, Client, finish, Inbox, receiver, settings } from "./checks.mjs"

const server = backend()
assert.ok(settings.webhookPort, "WEBHOOK_PORT is not set")
const webhooks = await receiver(server)

const ask = async (path, params) => (await server.get({ path, params })).json()

const refusal = async (promise) => {
  try {
    await promise
  } catch (error) {
    return { status: error.status, body: error.body }
  }
  throw new Error("it was not refused")
}

const ada = new Client({ member: { user_id: "1", user_info: { name: "Ada" } } })
const bob = new Client({ member: { user_id: "2" } })

await check("trigger reaches one channel and is answered with {}", async () => {
  await ada.connected()
  await ada.subscribe("sdk-one")
  const answer = await server.trigger("sdk-one", "greeting", { text: "hello" })
  assert.equal(answer.status, 200)
  assert.deepEqual(await answer.json(), {})
  assert.deepEqual(await ada.event("sdk-one", "greeting"), { text: "hello" })
})

await check("trigger reaches many channels", async () => {
  await ada.subscribe("sdk-two")
  await server.trigger(["sdk-one", "sdk-two", "sdk-nobody"], "news", { n: 1 })
  assert.deepEqual(await ada.event("sdk-one", "news"), { n: 1 })
  assert.deepEqual(await ada.event("sdk-two", "news"), { n: 1 })
})

await check("trigger with info tells the user count of a presence channel", async () => {
  await bob.connected()
  await ada.subscribe("presence-sdk-room")
  await bob.subscribe("presence-sdk-room")
  const answer = await server.trigger(["presence-sdk-room", "sdk-one"], "news", {}, { info: "user_count" })
  const { channels } = await answer.json()
  assert.equal(channels["presence-sdk-room"].user_count, 2)
  assert.deepEqual(channels["sdk-one"], {})
})

await check("triggerBatch delivers each event to its channel, in order", async () => {
  const answer = await server.triggerBatch([
    { channel: "sdk-one", name: "batch-1", data: { n: 1 } },
    { channel: "sdk-two", name: "batch-2", data: "text" },
    { channel: "sdk-one", name: "batch-3", data: { n: 3 } },
  ])
  assert.deepEqual(await answer.json(), {})
  assert.deepEqual(await ada.event("sdk-one", "batch-3"), { n: 3 })
  assert.equal(await ada.event("sdk-two", "batch-2"), "text")
  const order = ada.frames.items.filter((it) => it.channel === "sdk-one" && it.event.startsWith("batch-"))
  assert.deepEqual(order.map((it) => it.event), ["batch-1", "batch-3"])
})

await check("a batch of more than ten is refused with 400", async () => {
  const batch = Array.from({ length: 11 }, (_, n) => ({ channel: "sdk-one", name: "many", data: String(n) }))
  const { status, body } = await refusal(server.triggerBatch(batch))
  assert.equal(status, 400)
  assert.match(body, /Batch too large \(11 > 10\)/)
})

await check("channels lists the occupied ones, by prefix, with user counts", async () => {
  const { channels: all } = await ask("/channels", {})
  for (const name of ["sdk-one", "sdk-two", "presence-sdk-room"]) assert.deepEqual(all[name], {})
  const { channels } = await ask("/channels", { filter_by_prefix: "presence-sdk", info: "user_count" })
  assert.deepEqual(channels, { "presence-sdk-room": { user_count: 2 } })
  assert.deepEqual(await ask("/channels", { filter_by_prefix: "sdk-no-such" }), { channels: {} })
})

await check("one channel tells whether it is occupied, and its counts", async () => {
  const room = await ask("/channels/presence-sdk-room", { info: "user_count" })
  assert.equal(room.occupied, true)
  assert.equal(room.user_count, 2)
  assert.equal((await ask("/channels/sdk-nobody", {})).occupied, false)
})

await check("users lists each user of a presence channel once", async () => {
  const { users } = await ask("/channels/presence-sdk-room/users", {})
  assert.deepEqual(users.map((user) => user.id).sort(), ["1", "2"])
  assert.deepEqual(await ask("/channels/presence-sdk-empty/users", {}), { users: [] })
  const { status } = await refusal(ask("/channels/sdk-one/users", {}))
  assert.equal(status, 400)
})

await check("what trigger and triggerBatch encrypt reaches the subscriber, who reads it", async () => {
  const name = "private-encrypted-sdk"
  const channel = await ada.subscribe(name)
  const got = new Inbox()
  channel.bind("secret", (data) => got.push(data))
  await server.trigger(name, "secret", { text: "schön geheim" })
  await server.triggerBatch([{ channel: name, name: "secret", data: { n: 2 } }])
  await got.until("the second event", (it) => it.n === 2)
  assert.deepEqual(got.items, [{ text: "schön geheim" }, { n: 2 }])
  assert.deepEqual(Object.keys(await ada.event(name, "secret")).sort(), ["ciphertext", "nonce"])
})

await check("one channel tells what it caches and for how long, with its subscription count", async () => {
  assert.deepEqual(await ask("/channels/cache-sdk", { info: "cache" }), { occupied: false, cache: null })
  await server.trigger("cache-sdk", "price", { n: 1 })
  const { cache } = await ask("/channels/cache-sdk", { info: "cache" })
  assert.equal(cache.data, JSON.stringify({ n: 1 }))
  assert.ok(Number.isInteger(cache.ttl) && cache.ttl > 1_700 && cache.ttl <= 1_800, `ttl is ${cache.ttl}`)
  const { status } = await refusal(ask("/channels/sdk-one", { info: "cache" }))
  assert.equal(status, 400)
  await ada.subscribe("cache-sdk")
  assert.deepEqual(await ada.event("cache-sdk", "price"), { n: 1 })
})

const cleo = new Client({ user: { id: "cleo", user_info: { name: "Cleo" } } })
const dora = new Client({ user: { id: "dora" } })

await check("authenticateUser makes a signature that the server accepts, and sendToUser reaches that user alone", async () => {
  await Promise.all([cleo.connected(), dora.connected()])
  await Promise.all([cleo.signin(), dora.signin()])
  const letters = new Inbox()
  for (const client of [cleo, dora]) client.pusher.user.bind("letter", (data) => letters.push(data))
  await server.sendToUser("dora", "letter", { to: "dora" })
  await server.sendToUser("nobody", "letter", { to: "nobody" })
  await server.sendToUser("cleo", "letter", { to: "cleo" })
  await letters.until("both letters", () => letters.items.length === 2)
  await Promise.all([cleo.settle(), dora.settle()])
  assert.deepEqual(letters.items.map(({ to }) => to).sort(), ["cleo", "dora"])
})

await check("a user signed with a wrong secret is refused and the connection stays", async () => {
  const mallory = new Client()
  await mallory.connected()
  const { auth, user_data } = backend({ secret: "wrong" }).authenticateUser(mallory.socketId, { id: "cleo" })
  mallory.pusher.send_event("pusher:signin", { auth, user_data })
  await mallory.frames.until("pusher:error", (it) => it.event === "pusher:error")
  await mallory.settle()
  mallory.close()
})

await check("terminateUserConnections ends the connections of that user and of no other", async () => {
  assert.deepEqual(await (await server.terminateUserConnections("dora")).json(), {})
  const final = await dora.states.until("a final state", (state) => ["disconnected", "failed"].includes(state))
  assert.equal(dora.pusher.connection.state, final)
  await cleo.settle()
  assert.deepEqual(await (await server.terminateUserConnections("nobody")).json(), {})
  cleo.close()
})

await check("a wrong secret is refused with 401 and a line that says why", async () => {
  const { status, body } = await refusal(backend({ secret: "wrong" }).trigger("sdk-one", "never", {}))
  assert.equal(status, 401)
  assert.match(body, /Invalid signature/)
})

await check("an unknown key is refused with 401", async () => {
  const { status, body } = await refusal(backend({ key: "no-such-key" }).trigger("sdk-one", "never", {}))
  assert.equal(status, 401)
  assert.notEqual(body.trim(), "")
})

await check("data over 10 KB is refused with 413 and a line that says so", async () => {
  const { status, body } = await refusal(server.trigger("sdk-one", "never", "x".repeat(10241)))
  assert.equal(status, 413)
  assert.match(body, /exceeds the allowed maximum/)
  assert.equal((await server.trigger("sdk-one", "largest", "x".repeat(10240))).status, 200)
})

const told = (name, channel) =>
  webhooks.until(`the webhook ${name} of ${channel}`, (it) => it.events.some((event) => event.name === name && event.channel === channel), 10_000)

await check("subscribing gives a channel_occupied webhook that the SDK finds valid", async () => {
  await ada.subscribe("sdk-webhook")
  const webhook = await told("channel_occupied", "sdk-webhook")
  assert.equal(webhook.valid, true)
  assert.ok(Math.abs(webhook.time.getTime() - Date.now()) < 60_000, `time is ${webhook.time}`)
  const event = webhook.events.find((it) => it.channel === "sdk-webhook")
  assert.deepEqual(event, { name: "channel_occupied", channel: "sdk-webhook" })
})

await check("leaving gives a channel_vacated webhook that the SDK finds valid", async () => {
  ada.pusher.unsubscribe("sdk-webhook")
  assert.equal((await told("channel_vacated", "sdk-webhook")).valid, true)
})

await check("closing the connection gives channel_vacated for its channels", async () => {
  ada.close()
  bob.close()
  assert.equal((await told("channel_vacated", "sdk-two")).valid, true)
  assert.equal((await told("channel_vacated", "presence-sdk-room")).valid, true)
})

await check("every webhook that came was valid, one occupied and one vacated for a channel", async () => {
  assert.equal(webhooks.items.every((it) => it.valid), true)
  const names = webhooks.items.flatMap((it) => it.events).filter((it) => it.channel === "sdk-webhook").map((it) => it.name)
  assert.deepEqual(names, ["channel_occupied", "channel_vacated"])
})

await check("a body that was tampered with is not valid, nor is another app's secret", async () => {
  const { headers, rawBody } = webhooks.items[0]
  assert.equal(server.webhook({ headers, rawBody }).isValid(), true)
  assert.equal(server.webhook({ headers, rawBody: rawBody.replace("channel_", "channel-") }).isValid(), false)
  assert.equal(server.webhook({ headers, rawBody: `${rawBody} ` }).isValid(), false)
  assert.equal(backend({ secret: "wrong" }).webhook({ headers, rawBody }).isValid(), false)
})

finish()
