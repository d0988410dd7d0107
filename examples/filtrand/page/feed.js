// The items: the newest on top, a bounded number of them, held back while the visitor reads.
import { mentionOf } from "./subject.js"
import { clock, element } from "./dom.js"

const ITEMS_MAX = 150
const HELD_MAX = 100

export class Feed {
  #list
  #isHeld
  #onChange
  /** The id of an item → what is known of it, the oldest first. */
  #items = new Map()
  #held = []

  /** `isHeld` says whether new items are to wait. */
  constructor(list, { isHeld, onChange }) {
    this.#list = list
    this.#isHeld = isHeld
    this.#onChange = onChange
  }

  get shown() {
    return this.#items.size - this.#held.length
  }

  get held() {
    return this.#held.length
  }

  /** Takes an item of a subject; it may come once for each of several subjects. */
  add({ id, text, at_ms }, subject, hue) {
    const known = this.#items.get(id)
    if (known !== undefined) {
      known.hues.set(subject, hue)
      fill(known)
      return
    }
    const item = { id, text, at_ms, hues: new Map([[subject, hue]]), row: element("li", "item") }
    fill(item)
    this.#items.set(id, item)
    if (this.#isHeld()) this.#held.push(item)
    else this.#list.prepend(item.row)
    this.#bound()
    this.#onChange()
  }

  /** Shows what was held back. */
  release() {
    for (const { row } of this.#held) this.#list.prepend(row)
    this.#held = []
    this.#bound()
    this.#onChange()
  }

  /** Takes the items away that no other subject has. */
  drop(subject) {
    for (const item of [...this.#items.values()]) {
      if (!item.hues.delete(subject)) continue
      if (item.hues.size === 0) this.#forget(item)
      else fill(item)
    }
    this.#onChange()
  }

  #bound() {
    while (HELD_MAX < this.#held.length) this.#forget(this.#held[0])
    for (const item of this.#items.values()) {
      if (this.shown <= ITEMS_MAX) break
      this.#forget(item)
    }
  }

  #forget(item) {
    this.#items.delete(item.id)
    this.#held = this.#held.filter((held) => held !== item)
    item.row.remove()
  }
}

function fill({ row, text, at_ms, hues }) {
  const [[, hue]] = hues
  row.style.setProperty("--hue", hue)
  const time = element("time", "", clock(at_ms))
  time.dateTime = new Date(at_ms).toISOString()
  const tags = element("p", "tags")
  for (const [subject, own] of hues) {
    const tag = element("span", "tag", subject)
    tag.style.setProperty("--hue", own)
    tags.append(tag, " ")
  }
  const words = element("p", "text")
  words.append(...marked(text, hues))
  const inner = element("div", "inner")
  inner.append(time, words, tags)
  row.replaceChildren(inner)
}

/** The text in pieces, with what mentions a subject marked. */
function marked(text, hues) {
  const pieces = []
  let end = 0
  for (const { at, words, hue } of mentions(text, hues)) {
    if (at < end) continue
    const mark = element("mark", "", words)
    mark.style.setProperty("--hue", hue)
    pieces.push(text.slice(end, at), mark)
    end = at + words.length
  }
  return [...pieces, text.slice(end)]
}

function mentions(text, hues) {
  const found = []
  for (const [subject, hue] of hues) {
    for (const match of text.matchAll(mentionOf(subject))) found.push({ at: match.index, words: match[0], hue })
  }
  return found.sort((a, b) => a.at - b.at)
}
