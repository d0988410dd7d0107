// Filtrand's page: the visitor's subjects, each a channel, and what comes of them.
import { byId, count, element } from "./dom.js"
import { Feed } from "./feed.js"
import { fetchStatus, Link } from "./link.js"
import { LivePanel, WebhookPanel } from "./panel.js"
import { channelOf, tidy } from "./subject.js"

const SUBJECTS_MAX = 8
const SUGGESTIONS_SHOWN = 8
const HUES = [195, 40, 310, 140, 265, 85, 15, 230]
/** Scrolled further than this into the items, the visitor reads: new ones wait. */
const READING_PX = 120
const STATES = {
  connecting: { pill: "Connecting" },
  connected: { pill: "Live" },
  "vacancy-away": {
    pill: "Reconnecting",
    title: "Vacancy is away.",
    text: "Your subjects are kept; the page connects again by itself.",
  },
  "server-away": {
    pill: "Server away",
    title: "The server of this page does not answer.",
    text: "Items come again when it is back.",
  },
}

/** The visitor's subjects: subject → hue, chip, number of items, whether the server matches it. */
const mine = new Map()
let link
let isPaused = false
let suggestions = []
let live = { subjects: [], count: 0 }

const feed = new Feed(byId("items"), { isHeld: () => isPaused || isReading(), onChange: showFeed })
const livePanel = new LivePanel((subject) => add(subject))
const webhookPanel = new WebhookPanel()

// ---- the visitor's subjects ----

// region: subscribe
/** Subscribing is all that it takes: Vacancy tells the server, and the server begins to match the subject. */
function subscribe(subject) {
  const channel = link.pusher.subscribe(channelOf(subject))
  channel.bind("item", (item) => take(subject, item))
}

function unsubscribe(subject) {
  const name = channelOf(subject)
  link.pusher.channel(name)?.unbind()
  link.pusher.unsubscribe(name)
}
// endregion: subscribe

/** Adds a subject, or says why not. */
function add(text) {
  const subject = tidy(text)
  const problem = problemOf(subject)
  hint(problem)
  if (problem !== "") return false
  const used = new Set(Array.from(mine.values(), ({ hue }) => hue))
  const about = { hue: HUES.find((hue) => !used.has(hue)), items: 0, isLive: false }
  about.chip = chipOf(subject, about.hue)
  mine.set(subject, about)
  byId("chips").append(about.chip)
  if (link !== undefined) subscribe(subject)
  announce(`Listening for ${subject}`)
  changed()
  return true
}

function problemOf(subject) {
  if (subject === "") return ""
  if (mine.has(subject)) return `You listen for “${subject}” already.`
  if (channelOf(subject) === undefined) return "That is too long: the name of its channel has no room for it."
  if (mine.size === SUBJECTS_MAX) return `${SUBJECTS_MAX} subjects are the most. Remove one first.`
  return ""
}

function remove(subject) {
  const { chip } = mine.get(subject)
  const neighbour = chip.nextElementSibling ?? chip.previousElementSibling
  const hadFocus = chip.contains(document.activeElement)
  chip.remove()
  mine.delete(subject)
  if (link !== undefined) unsubscribe(subject)
  feed.drop(subject)
  if (hadFocus) (neighbour?.querySelector("button") ?? byId("subject")).focus()
  announce(`${subject} removed`)
  hint("")
  changed()
}

function chipOf(subject, hue) {
  const chip = element("li", "chip")
  chip.dataset.subject = subject
  chip.style.setProperty("--hue", hue)
  const button = element("button")
  button.type = "button"
  button.append(element("span", "dot"), element("span", "name", subject), element("span", "items"), element("span", "x", "×"))
  button.addEventListener("click", () => remove(subject))
  button.addEventListener("keydown", (event) => {
    if (!["Delete", "Backspace", "Escape"].includes(event.key)) return
    event.preventDefault()
    remove(subject)
  })
  chip.append(button)
  return chip
}

function showChips() {
  for (const [subject, { chip, items, isLive }] of mine) {
    chip.dataset.state = isLive ? "live" : "waiting"
    const [button] = chip.children
    button.querySelector(".items").textContent = items === 0 ? "–" : items
    const state = isLive ? "live" : "waiting for the server"
    button.setAttribute("aria-label", `${subject}: ${state}, ${count(items, "item")}. Remove`)
    button.title = `${state}; click, Delete or Escape removes it`
  }
}

// ---- the address of the page holds the subjects ----

function subjectsOfHash() {
  const words = location.hash.slice(1).split(",").map(decoded)
  return new Set(words.map(tidy).filter((word) => channelOf(word) !== undefined))
}

function decoded(text) {
  try {
    return decodeURIComponent(text)
  } catch {
    return ""
  }
}

function writeHash() {
  const hash = Array.from(mine.keys(), encodeURIComponent).join(",")
  history.replaceState(null, "", hash === "" ? location.pathname : `#${hash}`)
}

function readHash() {
  const wanted = subjectsOfHash()
  for (const subject of [...mine.keys()]) if (!wanted.has(subject)) remove(subject)
  for (const subject of wanted) if (!mine.has(subject)) add(subject)
}

// ---- what comes ----

function take(subject, item) {
  const about = mine.get(subject)
  if (about === undefined) return
  about.items += 1
  about.isLive = true
  if (about.items === 1) announce(`The first item about ${subject} has come`)
  feed.add(item, subject, about.hue)
}

function takeSnapshot({ stream, subjects, live: number, suggestions: topics }) {
  live = { subjects, count: number }
  suggestions = topics
  const names = new Set(subjects.map(({ subject }) => subject))
  for (const [subject, about] of mine) about.isLive = names.has(subject)
  byId("stream").textContent = `${count(stream.seen, "item")} read from ${stream.name}`
  showChips()
  showSuggestions()
  showLive()
}

function takeStatus(status) {
  takeSnapshot(status)
  for (const entry of status.webhooks.toReversed()) webhookPanel.add(entry)
}

// ---- what is shown ----

function changed() {
  writeHash()
  showChips()
  showSuggestions()
  showLive()
  showFeed()
}

function showLive() {
  livePanel.show(live.subjects, live.count, (subject) => mine.get(subject)?.hue)
}

/** What is offered stays until it is taken, so that nothing moves under a finger. */
function showSuggestions() {
  const list = byId("suggestions")
  for (const item of [...list.children]) if (mine.has(item.textContent)) item.remove()
  const shown = new Set(Array.from(list.children, ({ textContent }) => textContent))
  const others = suggestions.filter((topic) => !mine.has(topic) && !shown.has(topic))
  list.append(...others.slice(0, SUGGESTIONS_SHOWN - shown.size).map(suggestionOf))
  byId("topics").dataset.state = list.children.length === 0 ? "unknown" : "known"
}

function suggestionOf(topic) {
  const item = element("li")
  const button = element("button", "topic", topic)
  button.type = "button"
  button.addEventListener("click", () => add(topic) && byId("subject").focus())
  item.append(button)
  return item
}

function showFeed() {
  const quiet = [...mine].filter(([, { items }]) => items === 0).map(([subject]) => `“${subject}”`)
  const isEmpty = feed.shown === 0
  byId("empty").hidden = !isEmpty
  byId("bar").dataset.state = mine.size === 0 ? "none" : "some"
  if (isEmpty) showEmpty(quiet)
  byId("summary").textContent =
    quiet.length > 0 && !isEmpty ? `nothing about ${quiet.join(", ")} yet` : count(feed.shown, "item")
  showHold()
  showChips()
}

function showEmpty(quiet) {
  byId("empty-title").textContent = mine.size === 0 ? "Nothing is filtered for you yet" : `Listening for ${quiet.join(", ") || "more"}`
  byId("empty-text").textContent =
    mine.size === 0
      ? "Name a subject, or take one of those that the stream is about. Items that mention it appear here the moment they come."
      : "No item has mentioned it yet. Items appear here as they come, from now on. What the stream is about comes sooner."
}

function showHold() {
  const button = byId("hold")
  const isWaiting = feed.held > 0
  button.setAttribute("aria-pressed", String(isPaused))
  button.classList.toggle("waiting", isWaiting)
  if (isWaiting) button.textContent = `${feed.held} new ↑`
  else button.textContent = isPaused ? "Resume" : "Pause"
  button.setAttribute("aria-label", isWaiting ? `Show ${count(feed.held, "new item")}` : button.textContent)
}

function isReading() {
  return byId("items").getBoundingClientRect().top < byId("bar").getBoundingClientRect().bottom - READING_PX
}

function showState(state) {
  const { pill, title = "", text = "" } = STATES[state]
  byId("link").dataset.state = state
  byId("link-text").textContent = pill
  byId("banner-title").textContent = title
  byId("banner-text").textContent = text
  byId("banner").hidden = title === ""
}

function hint(text) {
  byId("hint").textContent = text
  byId("subject").toggleAttribute("aria-invalid", text !== "")
}

function announce(text) {
  byId("announcement").textContent = text
}

// ---- what the visitor does ----

byId("form").addEventListener("submit", (event) => {
  event.preventDefault()
  const input = byId("subject")
  if (tidy(input.value) !== "" && add(input.value)) input.value = ""
})
byId("subject").addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    event.currentTarget.value = ""
    hint("")
  }
})
byId("subject").addEventListener("input", () => hint(""))
byId("hold").addEventListener("click", () => {
  const isWaiting = feed.held > 0
  isPaused = !isPaused && !isWaiting
  feed.release()
  if (isWaiting) byId("form").scrollIntoView({ block: "start" })
})
byId("share").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href)
    byId("share").textContent = "Copied"
    announce("The link to these subjects is copied")
  } catch {
    byId("share").textContent = "See the address"
  }
  setTimeout(() => (byId("share").textContent = "Copy link"), 2_000)
})
window.addEventListener("hashchange", readHash)
window.addEventListener("scroll", () => !isPaused && feed.held > 0 && !isReading() && feed.release(), { passive: true })

// On a narrow page the panels are folded: the items come first.
const isWide = window.matchMedia("(min-width: 60rem)")
const fold = () => document.querySelectorAll("details.panel").forEach((panel) => (panel.open = isWide.matches))
isWide.addEventListener("change", fold)
fold()

// ---- the beginning ----

async function firstStatus() {
  for (;;) {
    try {
      return await fetchStatus()
    } catch {
      showState("server-away")
      await new Promise((resolve) => setTimeout(resolve, 2_000))
    }
  }
}

readHash()
changed()
const status = await firstStatus()
link = new Link(status.vacancy, { onState: showState, onStatus: takeStatus })
showState(link.state)
takeStatus(status)
link.pusher.subscribe("subjects").bind("subjects", (snapshot) => {
  link.heard()
  takeSnapshot(snapshot)
})
link.pusher.subscribe("webhooks").bind("webhook", (entry) => webhookPanel.add(entry))
for (const subject of mine.keys()) subscribe(subject)
