// Unchanged pusher-js over its HTTP fallbacks: all messages that it sends at once arrive.
import assert from "node:assert/strict"
import { check, Client, finish, Inbox, settings } from "./checks.mjs"

const fallback = (transport) => ({
  enabledTransports: [transport],
  httpHost: settings.host,
  httpPort: settings.port,
  httpsPort: settings.port,
})

for (const transport of ["xhr_streaming", "xhr_polling"]) {
  for (const count of [30, 100, 1_000]) {
    await check(`over ${transport} each of ${count} subscriptions at once is confirmed`, async () => {
      const client = new Client({ options: fallback(transport) })
      await client.connected()
      const names = Array.from({ length: count }, (_, at) => `${at % 2 === 0 ? "private-" : ""}storm-${at}`)
      const outcomes = new Inbox()
      for (const name of names) {
        const channel = client.pusher.subscribe(name)
        channel.bind("pusher:subscription_succeeded", () => outcomes.push(name))
        channel.bind("pusher:subscription_error", (error) => outcomes.push(error))
      }
      await outcomes.until("every outcome", () => outcomes.items.length === count, 60_000)
      assert.deepEqual(outcomes.items.toSorted(), names.toSorted())
      assert.deepEqual(client.states.items, ["connecting", "connected"].slice(-client.states.items.length))
      client.close()
    })
  }
}

finish()
