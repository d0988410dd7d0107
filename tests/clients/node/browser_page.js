// What browser.mjs calls in its page: one unchanged pusher-js client, which tells all that it sees to `report`,
// a function that browser.mjs puts into the page.
/* global Pusher, report */
const plain = (data) => (data?.myID === undefined ? data : membersOf(data))

const membersOf = (members) => {
  const each = []
  members.each((member) => each.push(member))
  return { count: members.count, me: members.me, each: each.sort((a, b) => a.id.localeCompare(b.id)) }
}

window.tab = {
  connect(key, options) {
    const pusher = new Pusher(key, options)
    this.pusher = pusher
    pusher.connection.bind("message", (frame) => report("frame", frame))
    pusher.connection.bind("state_change", ({ current }) => report("state", current))
    pusher.connection.bind("error", (error) => report("error", error?.error ?? String(error)))
    pusher.user.bind_global((event, data) => report("user", { event, data }))
    for (const event of ["online", "offline"]) {
      pusher.user.watchlist.bind(event, (data) => report("watchlist", data))
    }
  },
  subscribe(name) {
    const channel = this.pusher.subscribe(name)
    channel.bind_global((event, data) => report("event", { channel: name, event, data: plain(data) }))
  },
  /** Reports events of that name with what pusher-js says of their sender. */
  bind(name, event) {
    this.pusher.channel(name).bind(event, (data, metadata) => report("bound", { channel: name, event, data, metadata }))
  },
  members(name) {
    return membersOf(this.pusher.channel(name).members)
  },
  transport() {
    return this.pusher.connection.connection.transport.name
  },
}
