// pusher-js, unchanged, as the client of the server under test.
import assert from "node:assert/strict"
import { backend, check, Client, finish, Inbox, settings } from "./checks.mjs"

const server = backend()
const ada = new Client({ member: { user_id: "1", user_info: { name: "Ada" } } })
const bob = new Client({ member: { user_id: "2", user_info: { name: "Bob" } } })

await check("pusher-js connects and gets a socket id", async () => {
  await Promise.all([ada.connected(), bob.connected()])
  assert.match(ada.socketId, /^\d+\.\d+$/)
  assert.notEqual(ada.socketId, bob.socketId)
})

for (const name of ["pjs-news", "private-pjs-news", "presence-pjs-news"]) {
  await check(`pusher-js subscribes to ${name} and receives a triggered event`, async () => {
    await ada.subscribe(name)
    await server.trigger(name, "greeting", { text: `hällo ${name}` })
    assert.deepEqual(await ada.event(name, "greeting"), { text: `hällo ${name}` })
  })
}

await check("text that is not JSON arrives as it was sent", async () => {
  await server.trigger("pjs-news", "plain", "just text, not JSON")
  assert.equal(await ada.event("pjs-news", "plain"), "just text, not JSON")
})

await check("a client event reaches the other subscriber of a private channel, and not its sender", async () => {
  const channel = await bob.subscribe("private-pjs-talk")
  await ada.subscribe("private-pjs-talk")
  const got = new Inbox()
  channel.bind("client-typing", (data, metadata) => got.push({ data, metadata }))
  ada.pusher.channel("private-pjs-talk").trigger("client-typing", { on: true })
  const { data, metadata } = await got.until("client-typing", () => true)
  assert.deepEqual(data, { on: true })
  assert.equal(metadata?.user_id, undefined)
  await server.trigger("private-pjs-talk", "after-typing", {})
  await ada.event("private-pjs-talk", "after-typing")
  assert.equal(ada.count("private-pjs-talk", "client-typing"), 0)
})

await check("a client event in a presence channel names the sender's user id", async () => {
  const channel = await bob.subscribe("presence-pjs-talk")
  await ada.subscribe("presence-pjs-talk")
  const got = new Inbox()
  channel.bind("client-typing", (data, metadata) => got.push({ data, metadata }))
  ada.pusher.channel("presence-pjs-talk").trigger("client-typing", { on: false })
  const { data, metadata } = await got.until("client-typing", () => true)
  assert.deepEqual(data, { on: false })
  assert.equal(metadata.user_id, "1")
})

await check("presence: members tell count, me and each other", async () => {
  const first = await ada.subscribe("presence-pjs-room")
  assert.equal(first.members.count, 1)
  assert.deepEqual(first.members.me, { id: "1", info: { name: "Ada" } })
  const added = new Inbox()
  first.bind("pusher:member_added", (member) => added.push(member))
  const second = await bob.subscribe("presence-pjs-room")
  assert.equal(second.members.count, 2)
  assert.deepEqual(second.members.me, { id: "2", info: { name: "Bob" } })
  assert.deepEqual(second.members.get("1"), { id: "1", info: { name: "Ada" } })
  assert.deepEqual(await added.until("member_added", () => true), { id: "2", info: { name: "Bob" } })
  assert.equal(first.members.count, 2)
})

await check("presence: a user with two connections is added once and removed with the last", async () => {
  const room = "presence-pjs-room"
  const first = ada.pusher.channel(room)
  const removed = new Inbox()
  first.bind("pusher:member_removed", (member) => removed.push(member))
  const again = new Client({ member: { user_id: "2", user_info: { name: "Bob" } } })
  await again.connected()
  const second = await again.subscribe(room)
  assert.equal(second.members.count, 2)
  bob.pusher.unsubscribe(room)
  await bob.settle()
  await server.trigger(room, "one-left", {})
  await ada.event(room, "one-left")
  assert.equal(removed.items.length, 0, "removed while a connection of the user is left")
  assert.equal(ada.count(room, "pusher_internal:member_added"), 1)
  again.close()
  assert.equal((await removed.until("member_removed", () => true)).id, "2")
  assert.equal(first.members.count, 1)
})

await check("after unsubscribe no event arrives", async () => {
  await ada.subscribe("pjs-leave")
  await bob.subscribe("pjs-leave")
  ada.pusher.unsubscribe("pjs-leave")
  await ada.settle()
  await server.trigger("pjs-leave", "missed", {})
  await bob.event("pjs-leave", "missed")
  await ada.subscribe("pjs-leave")
  await server.trigger("pjs-leave", "seen", {})
  await ada.event("pjs-leave", "seen")
  assert.equal(ada.count("pjs-leave", "missed"), 0)
})

await check("a trigger with socket_id leaves that connection out", async () => {
  await ada.subscribe("pjs-exclude")
  await bob.subscribe("pjs-exclude")
  await server.trigger("pjs-exclude", "not-for-ada", {}, { socket_id: ada.socketId })
  await server.trigger("pjs-exclude", "for-all", {})
  await Promise.all([ada.event("pjs-exclude", "for-all"), bob.event("pjs-exclude", "for-all")])
  assert.equal(ada.count("pjs-exclude", "not-for-ada"), 0)
  assert.equal(bob.count("pjs-exclude", "not-for-ada"), 1)
})

await check("a wrong signature gives pusher:subscription_error and the connection stays", async () => {
  const forged = (socketId, channelName, member) => {
    const honest = channelName.startsWith("private-pjs-honest")
    return backend(honest ? {} : { secret: "not-the-secret" }).authorizeChannel(socketId, channelName, member)
  }
  const mallory = new Client({ authorize: (socketId, channelName) => forged(socketId, channelName) })
  await mallory.connected()
  const refused = new Inbox()
  mallory.pusher.subscribe("private-pjs-secret").bind("pusher:subscription_error", (error) => refused.push(error))
  const error = await refused.until("pusher:subscription_error", () => true)
  assert.equal(error.type, "AuthError")
  await mallory.subscribe("private-pjs-honest")
  assert.equal(mallory.pusher.connection.state, "connected")
  mallory.close()
})

await check("an unknown app key ends in disconnected, without another attempt", async () => {
  const stranger = new Client({ key: `${settings.key}-unknown` })
  const final = await stranger.states.until("a final state", (state) => ["disconnected", "failed"].includes(state))
  await ada.settle()
  assert.equal(stranger.pusher.connection.state, final)
  // The first attempt begins in the constructor, before anyone can listen: any state listed is of a later one.
  assert.deepEqual(stranger.states.items, [final])
})

ada.close()
bob.close()
finish()
