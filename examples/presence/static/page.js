// Tells the server that this user is on this page, and shows its table of who is online.
"use strict"

const settings = JSON.parse(document.getElementById("settings").textContent)
const DAY_MS = 86_400_000

// ---- being here, and hearing of the others ----

function start() {
  const pusher = new Pusher(settings.key, {
    cluster: "",
    wsHost: location.hostname,
    wsPort: settings.port,
    wssPort: settings.port,
    forceTLS: settings.tls,
    enabledTransports: ["ws", "wss"],
    channelAuthorization: { endpoint: "/auth/channel", transport: "ajax" },
    userAuthentication: { endpoint: "/auth/user", transport: "ajax" },
  })
  pusher.connection.bind("state_change", ({ current }) => showConnection(current))
  pusher.signin() // we are online
  pusher.subscribe(settings.channel) // and on this page

  const table = pusher.subscribe(settings.table)
  table.bind("pusher:subscription_succeeded", load) // also after the connection was lost
  table.bind("reload", load)
  table.bind("rows", take)
}

// ---- the table ----

/** By user_id: the newest row that came, as it was at its `as_of_ms`, and when it came by our own clock. */
let rows = new Map()

function take({ as_of_ms, users }) {
  for (const user of users) {
    if (as_of_ms < (rows.get(user.user_id)?.as_of_ms ?? 0)) continue
    rows.set(user.user_id, { ...user, as_of_ms, came: performance.now() })
  }
  show()
}

let retry
async function load() {
  clearTimeout(retry)
  try {
    const answer = await fetch("/online")
    if (!answer.ok) throw new Error(answer.statusText)
    const table = await answer.json()
    rows = new Map([...rows].filter(([, row]) => table.as_of_ms < row.as_of_ms))
    take(table)
  } catch {
    retry = setTimeout(load, 1_000) // the server is being started again
  }
}

function show() {
  const sorted = [...rows.values()].sort((a, b) => b.online - a.online || a.user_id.localeCompare(b.user_id))
  const online = sorted.filter((row) => row.online).length
  document.getElementById("summary").textContent = `${online} online, ${sorted.length} today`
  document.getElementById("rows").replaceChildren(...sorted.map(rowElement))
  tick()
}

function rowElement(row) {
  const tr = element("tr", "")
  tr.dataset.user = row.user_id
  tr.dataset.online = row.online
  const name = element("th", row.user_id)
  name.scope = "row"
  if (row.user_id === settings.user) name.append(element("span", " (you)", "you"))
  const pages = element("td", "")
  pages.append(element("span", row.pages.length, "count"), " ", ...row.pages.map((page) => element("span", page, "page")))
  tr.append(name, element("td", row.online ? since(row.since_ms) : "–"), pages, element("td", "", "today"))
  return tr
}

function element(tag, text, className = "") {
  const made = document.createElement(tag)
  made.textContent = text
  made.className = className
  return made
}

function since(ms) {
  const at = new Date(ms)
  const isToday = at.toDateString() === new Date().toDateString()
  const time = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
  return isToday ? time : `${at.toLocaleDateString([], { day: "numeric", month: "short" })}, ${time}`
}

function duration(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1_000))
  const two = (number) => String(number).padStart(2, "0")
  return `${Math.floor(seconds / 3_600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`
}

/** The time of those who are online goes on between the changes. */
function tick() {
  for (const tr of document.getElementById("rows").children) {
    const row = rows.get(tr.dataset.user)
    const more = row.online ? performance.now() - row.came : 0
    tr.querySelector(".today").textContent = duration(row.today_ms + more)
  }
}

let day = Math.floor(Date.now() / DAY_MS)
function everySecond() {
  tick()
  const now = Math.floor(Date.now() / DAY_MS)
  if (now === day) return
  day = now
  load()
}

// ---- the connection ----

const STATES = {
  connected: "Live",
  connecting: "Connecting…",
  unavailable: "No connection, trying again",
  disconnected: "Not connected",
  failed: "This browser cannot connect",
}

function showConnection(state) {
  const shown = document.getElementById("connection")
  shown.dataset.state = state
  shown.textContent = STATES[state] ?? state
}

if (settings.user !== null) {
  start()
  setInterval(everySecond, 1_000)
}
