// Laravel Echo over pusher-js, unchanged, as the client of the server under test.
import assert from "node:assert/strict"
import Echo from "laravel-echo"
import PusherJs from "pusher-js"
import { backend, check, clientOptions, finish, Inbox, settings } from "./checks.mjs"

const server = backend()

function echo(member, broadcaster = "reverb") {
  return new Echo({ broadcaster, key: settings.key, Pusher: PusherJs, ...clientOptions(member) })
}

function subscribed(channel) {
  const outcome = new Inbox()
  channel.subscribed(() => outcome.push("subscribed"))
  channel.error((error) => outcome.push(`refused: ${JSON.stringify(error)}`))
  return outcome.until(`the subscription of ${channel.name}`, (it) => it === "subscribed")
}

const ada = echo({ user_id: "1", user_info: { id: 1, name: "Ada" } })
const bob = echo({ user_id: "2", user_info: { id: 2, name: "Bob" } }, "pusher")

await check("Echo receives a broadcast event on a public channel", async () => {
  const got = new Inbox()
  const channel = ada.channel("echo-orders").listen("OrderShipped", (data) => got.push(data))
  await subscribed(channel)
  await server.trigger("echo-orders", "App\\Events\\OrderShipped", { order: 7 })
  assert.deepEqual(await got.until("OrderShipped", () => true), { order: 7 })
})

await check("Echo receives a broadcast event on a private channel", async () => {
  const got = new Inbox()
  const channel = ada.private("echo-orders").listen(".order.paid", (data) => got.push(data))
  await subscribed(channel)
  await server.trigger("private-echo-orders", "order.paid", { order: 8 })
  assert.deepEqual(await got.until("order.paid", () => true), { order: 8 })
})

await check("a whisper reaches the other listener of a private channel", async () => {
  const got = new Inbox()
  const channel = bob.private("echo-orders").listenForWhisper("typing", (data) => got.push(data))
  await subscribed(channel)
  ada.private("echo-orders").whisper("typing", { name: "Ada" })
  assert.deepEqual(await got.until("the whisper", () => true), { name: "Ada" })
})

await check("join tells here, joining, leaving, and receives events", async () => {
  const seen = new Inbox()
  const room = ada
    .join("echo-room")
    .here((users) => seen.push({ here: users }))
    .joining((user) => seen.push({ joining: user }))
    .leaving((user) => seen.push({ leaving: user }))
    .listen(".said", (data) => seen.push({ said: data }))
    .listenForWhisper("typing", (data) => seen.push({ whisper: data }))
  const { here } = await seen.until("here", (it) => it.here)
  assert.deepEqual(here, [{ id: 1, name: "Ada" }])
  const other = new Inbox()
  const bobs = bob.join("echo-room").here((users) => other.push(users))
  assert.equal((await other.until("here", () => true)).length, 2)
  const { joining } = await seen.until("joining", (it) => it.joining)
  assert.deepEqual(joining, { id: 2, name: "Bob" })
  await server.trigger("presence-echo-room", "said", "hello")
  assert.equal((await seen.until("the event", (it) => it.said)).said, "hello")
  bobs.whisper("typing", { on: true })
  assert.deepEqual((await seen.until("the whisper", (it) => it.whisper)).whisper, { on: true })
  bob.leave("echo-room")
  const { leaving } = await seen.until("leaving", (it) => it.leaving)
  assert.deepEqual(leaving, { id: 2, name: "Bob" })
  assert.equal(room.name, "presence-echo-room")
})

await check("Echo's socket id serves toOthers: the sender gets no copy", async () => {
  const name = "private-echo-orders"
  const seen = { ada: new Inbox(), bob: new Inbox() }
  ada.private("echo-orders").listenToAll((event) => seen.ada.push(event))
  bob.private("echo-orders").listenToAll((event) => seen.bob.push(event))
  await server.trigger(name, "to-others", {}, { socket_id: ada.socketId() })
  await server.trigger(name, "to-all", {})
  const isLast = (event) => event.includes("to-all")
  await Promise.all([seen.ada.until("to-all", isLast), seen.bob.until("to-all", isLast)])
  assert.equal(seen.ada.items.some((event) => event.includes("to-others")), false)
  assert.equal(seen.bob.items.some((event) => event.includes("to-others")), true)
})

ada.disconnect()
bob.disconnect()
finish()
