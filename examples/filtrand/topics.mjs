// What the stream is about: the words that many of its last items have.

const ITEMS_KEPT = 3_000
const WORD_LENGTH_MIN = 4
const COMMON = new Set(
  `about above after again against ahead almost along already also among another anybody around away back because been
  before behind below best better between both bring brings call calls came cannot club come comes could days does
  doing down during each early eight ends even ever every everybody fall falls find finds first five found four free
  from full gets gives goes good great half have help helps here high hour hours into just keep keeps kept known large
  last late later least left less like line little local long look looks lost made make makes many meet meets might
  minutes month months more most move moves much must name named near nearly need needs never next night nine nobody
  none once one only onto open opens other over part past plan plans puts rise rises road said same says second seen
  seven several shows since small some somebody soon start starts stay stays still street such take takes tells than
  that their them then there these they this those three time times today told tomorrow tonight took toward turn turns
  twice under until upon used very wait waits want wants week weeks well were what when where which while will wins
  with within without word words work works would year years your`.split(/\s+/),
)

export class Topics {
  #items = []
  #counts = new Map()

  see(text) {
    const words = new Set(text.toLowerCase().match(/[\p{L}]+/gu))
    const topics = [...words].filter((word) => WORD_LENGTH_MIN <= word.length && !COMMON.has(word))
    this.#items.push(topics)
    this.#count(topics, 1)
    if (ITEMS_KEPT < this.#items.length) this.#count(this.#items.shift(), -1)
  }

  top(count) {
    const often = [...this.#counts].filter(([, items]) => items > 1)
    return often.toSorted(([, a], [, b]) => b - a).slice(0, count).map(([word]) => word)
  }

  #count(topics, by) {
    for (const topic of topics) {
      const items = (this.#counts.get(topic) ?? 0) + by
      if (items === 0) this.#counts.delete(topic)
      else this.#counts.set(topic, items)
    }
  }
}
