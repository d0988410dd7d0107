// The side panel: the live subjects of all visitors, and the webhooks that made them live.
import { byId, clock, count, element } from "./dom.js"
import { subjectOf } from "./subject.js"

const WEBHOOKS_MAX = 40

/** Shows which subjects are live. Rows stay where they are, so that the keyboard's focus does too. */
export class LivePanel {
  #rows = new Map()
  #onPick

  constructor(onPick) {
    this.#onPick = onPick
  }

  show(subjects, live, hueOf) {
    const gone = new Set(this.#rows.keys())
    for (const [at, about] of subjects.entries()) {
      gone.delete(about.subject)
      const row = this.#rows.get(about.subject) ?? this.#row(about.subject)
      fillSubject(row, about, hueOf(about.subject))
      const list = byId("live")
      if (list.children[at] !== row) list.insertBefore(row, list.children[at] ?? null)
    }
    for (const subject of gone) {
      this.#rows.get(subject).remove()
      this.#rows.delete(subject)
    }
    byId("live-count").textContent = live
    byId("live-none").hidden = live > 0
  }

  #row(subject) {
    const row = element("li", "subject")
    row.dataset.subject = subject
    const pick = element("button", "pick")
    pick.type = "button"
    pick.append(element("span", "name", subject), element("span", "items"), element("span", "why"))
    pick.addEventListener("click", () => this.#onPick(subject))
    row.append(pick)
    this.#rows.set(subject, row)
    return row
  }
}

function fillSubject(row, { items, since_ms, from, seq }, hue) {
  row.classList.toggle("yours", hue !== undefined)
  row.style.setProperty("--hue", hue ?? 0)
  const [pick] = row.children
  pick.disabled = hue !== undefined
  pick.title = `${hue === undefined ? "Listen for it too" : "You listen for it"} (seq ${seq})`
  pick.querySelector(".items").textContent = count(items, "item")
  pick.querySelector(".why").textContent = `since ${clock(since_ms)}, by ${from === "told list" ? "the told list" : from}`
}

/** Shows the webhooks, the newest on top. */
export class WebhookPanel {
  #rows = new Map()

  add(entry) {
    if (this.#rows.has(entry.id)) return
    const row = webhookRow(entry)
    this.#rows.set(entry.id, row)
    const list = byId("webhooks")
    // Those of the server's status may be older than what came meanwhile.
    const older = [...list.children].find((other) => Number(other.dataset.received) <= entry.received_ms)
    list.insertBefore(row, older ?? null)
    while (WEBHOOKS_MAX < list.children.length) {
      const last = list.lastElementChild
      this.#rows.delete(last.dataset.id)
      last.remove()
    }
    byId("webhook-count").textContent = list.children.length
    byId("webhooks-none").hidden = true
  }
}

function webhookRow(entry) {
  const row = element("li", "webhook")
  Object.assign(row.dataset, { id: entry.id, received: entry.received_ms, name: entry.name, effect: entry.effect })
  const head = element("p", "head")
  const time = element("time", "", clock(entry.received_ms))
  time.dateTime = new Date(entry.received_ms).toISOString()
  head.append(element("span", "name", entry.name), time)
  row.append(head)
  if (entry.channel !== undefined) row.append(element("code", "channel", entry.channel))
  row.append(element("p", "effect", effectOf(entry)))
  if (entry.seq !== undefined) row.append(element("p", "facts", `seq ${entry.seq} · attempt ${entry.attempt}`))
  return row
}

/** What the server did about it. */
function effectOf({ name, channel, effect, subjects }) {
  if (name === "told list") return `read at the server's start: ${count(subjects, "subject")} taken over`
  if (effect === "ignored") return "ignored: its seq is not newer"
  const subject = subjectOf(channel)
  if (subject !== undefined) return `${effect} “${subject}”`
  return channel === "subjects" ? `${effect} the list of subjects` : `${effect} the webhooks`
}
