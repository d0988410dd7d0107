// examples/filtrand in Debian's Chromium, driven by playwright-core: PAGE is its address, SCREENSHOTS a folder.
// What only the one who started it can do, it asks for by a line: `please: kill vacancy`, `please: stop filtrand`.
import assert from "node:assert/strict"
import { once } from "node:events"
import { spawn } from "node:child_process"
import http from "node:http"
import { chromium } from "playwright-core"
import { itemOf, serverSentEvents } from "../../../examples/filtrand/stream.mjs"
import { channelOf, mentionOf, subjectOf } from "../../../examples/filtrand/page/subject.js"
import { allow, check, finish, pause, settings, until } from "./checks.mjs"

const { PAGE, SCREENSHOTS } = process.env
const DELAY_MS = 3_000
const RECOVERY_MS = 10_000
const SOON_MS = 20_000
const FLAGS =
  "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(" ")
const WIDE = { width: 1280, height: 860 }
const NARROW = { width: 380, height: 800 }

allow(300_000)

const status = async () => (await fetch(`${PAGE}status`)).json()
const matched = async () => (await status()).subjects.map(({ subject }) => subject).sort()
const please = (what) => console.log(`please: ${what}`)

const isMatched = (subjects, deadlineMs) =>
  until(`exactly ${subjects} to be matched`, matched, (got) => String(got) === String([...subjects].sort()), deadlineMs)

/** The `seq` of each subject that is matched: it changes when the subject is told anew. */
const seqs = async () => {
  const { subjects } = await status()
  return JSON.stringify(subjects.map(({ subject, seq }) => [subject, seq]).sort())
}

/** For longer than the delay no webhook changes what is matched. */
async function staysTold(before) {
  const end = Date.now() + DELAY_MS + 500
  await until("the delay to pass", seqs, (now) => {
    assert.equal(now, before, "a webhook came")
    return end < Date.now()
  })
}

/** As long as so many items pass, exactly these subjects stay matched. */
async function staysMatched(subjects, items = 200) {
  const { stream } = await status()
  await until(`${items} items to pass`, status, (now) => {
    assert.deepEqual(now.subjects.map(({ subject }) => subject).sort(), [...subjects].sort())
    return stream.seen + items <= now.stream.seen
  })
}

// ---- subjects and streams, without a browser ----

await check("a subject has one channel, and the channel one subject", () => {
  for (const [subject, channel] of [
    ["storm", "subject-storm"],
    ["  Winter   Storm ", "subject-winter_storm"],
    ["café au lait", "subject-caf=C3=A9_au_lait"],
    ["e-mail_2.0", "subject-e-mail=5F2.0"],
    ["a=b%20", "subject-a=3Db=2520"],
    ["港", "subject-=E6=B8=AF"],
  ]) {
    assert.equal(channelOf(subject), channel)
    assert.equal(channelOf(subjectOf(channel)), channel)
  }
  for (const none of ["", "  ", "\u0000", "x".repeat(157)]) assert.equal(channelOf(none), undefined)
  for (const other of ["subjects", "subject-", "subject-Storm", "subject-a__b", "subject-=zz", "subject-=FF", "subject-=61"]) {
    assert.equal(subjectOf(other), undefined, other)
  }
})

await check("a text mentions a subject by whole words", () => {
  const finds = (subject, text) => text.search(mentionOf(subject)) !== -1
  for (const text of ["Storm over the bay", "two STORMS", "the storm’s eye", "“storm”"]) assert.ok(finds("storm", text), text)
  for (const text of ["brainstorm", "stormy", "stor m"]) assert.ok(!finds("storm", text), text)
  assert.ok(finds("c++", "news of C++ today") && finds("a.b", "a.b") && !finds("a.b", "axb"))
  assert.ok(finds("été", "l'Été arrive") && finds("港", "新港湾") && finds("winter storm", "a Winter  storm"))
})

await check("server-sent events become items, also in pieces, and the stream is connected to again", async () => {
  const asked = []
  const pieces = [
    ["id: 7\r\ndata: first ", "item\r", "\ndata: goes on\n\n: a comment\n\ndata: {\"title\":\"Harbour\",\"com", "ment\":\"a ferry\"}\n\n", "data: cut of"],
    ["event: x\ndata:third\n\n"],
  ]
  const source = http.createServer(async (request, response) => {
    asked.push(request.headers["last-event-id"])
    if (asked.length === 2) return response.writeHead(503).end()
    response.writeHead(200, { "content-type": "text/event-stream" })
    for (const piece of pieces.shift() ?? []) {
      response.write(piece)
      // So that it is read before the next one is written.
      await pause(10)
    }
    response.destroy()
  })
  source.listen(0, "127.0.0.1")
  await once(source, "listening")
  const log = console.log
  console.log = () => {}
  const items = []
  for await (const item of serverSentEvents(`http://127.0.0.1:${source.address().port}/`, { reconnectMs: [10, 50] })) {
    if (items.push(item) === 3) break
  }
  console.log = log
  source.close()
  assert.deepEqual(items, ["first item goes on", "Harbour: a ferry", "third"])
  assert.deepEqual(asked, [undefined, "7", "7"])
  assert.deepEqual(["plain", '"text"', '{"text":"a"}', '{"x":1}', "[1]", "null"].map(itemOf), ["plain", "text", "a", "", "", ""])
})

await check("lines of standard input become items", async () => {
  const module = new URL("../../../examples/filtrand/stream.mjs", import.meta.url)
  const program = `import { openStream } from "${module}"; for await (const item of openStream("-").open()) console.log(item)`
  const child = spawn(process.execPath, ["--input-type=module", "-e", program])
  child.stdin.end("one\n\n  two\twords \r\nthree")
  let output = ""
  child.stdout.on("data", (data) => (output += data))
  await once(child, "close")
  assert.equal(output, "one\ntwo words\nthree\n")
})

await check("a webhook that is not signed, or too long, is refused", async () => {
  const send = (headers, body) => fetch(`${PAGE}webhooks`, { method: "POST", body, headers: { "content-type": "application/json", ...headers } })
  const body = JSON.stringify({ time_ms: 1, events: [{ name: "channel_occupied", channel: "subject-forged", seq: 1 }] })
  assert.equal((await send({}, body)).status, 401)
  assert.equal((await send({ "x-pusher-key": settings.key, "x-pusher-signature": "0".repeat(64) }, body)).status, 401)
  const long = await send({}, "x".repeat(3 * 1024 * 1024)).then((answer) => answer.status, () => "cut off")
  assert.ok([413, "cut off"].includes(long), String(long))
  assert.deepEqual(await matched(), [])
})

// ---- visitors ----

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, chromiumSandbox: false, args: FLAGS })
const complaints = []
/** What the console may say at the moment: that one process which was killed refuses connections. */
let tolerated = () => false
const vacancyIsAway = (text) =>
  text.startsWith(`WebSocket connection to 'ws://${settings.host}:${settings.port}/app/`) && text.endsWith("net::ERR_CONNECTION_REFUSED")
const serverIsAway = (text, url) => text === "Failed to load resource: net::ERR_CONNECTION_REFUSED" && url === `${PAGE}status`

class Visitor {
  /** A visitor with a browser of its own, who opens the page with these subjects in its address. */
  static async open(subjects = [], { colorScheme = "light", viewport = WIDE } = {}) {
    const visitor = new Visitor()
    visitor.context = await browser.newContext({ colorScheme, viewport, reducedMotion: "reduce" })
    visitor.page = await visitor.context.newPage()
    visitor.page.on("console", (message) => {
      if (!["error", "warning"].includes(message.type()) || tolerated(message.text(), message.location().url)) return
      complaints.push(`${message.text()} (${message.location().url})`)
    })
    visitor.page.on("pageerror", (error) => complaints.push(error.message))
    visitor.page.on("dialog", (dialog) => complaints.push(`a dialog: ${dialog.message()}`))
    await visitor.page.goto(`${PAGE}${subjects.length === 0 ? "" : "#"}${subjects.map(encodeURIComponent).join(",")}`)
    return visitor
  }

  close() {
    return this.context.close()
  }

  async type(text) {
    await this.page.getByLabel("Which subject").fill(text)
    await this.page.keyboard.press("Enter")
  }

  chip(subject) {
    return this.page.locator(`.chip[data-subject="${subject}"]`)
  }

  isLive(...subjects) {
    return Promise.all(subjects.map((subject) => this.page.locator(`.chip[data-subject="${subject}"][data-state="live"]`).waitFor({ timeout: SOON_MS })))
  }

  linkIs(state) {
    return this.page.locator(`#link[data-state="${state}"]`).waitFor({ timeout: 2 * SOON_MS })
  }

  texts() {
    return this.page.locator(".item .text").allTextContents()
  }

  /** Waits for so many items more than there are. */
  async gets(more) {
    const before = await this.total()
    await until(`${more} items more`, () => this.total(), (total) => before + more <= total)
  }

  /** How many items came for its subjects. */
  async total() {
    const counts = await this.page.locator(".chip .items").allTextContents()
    return counts.reduce((sum, count) => sum + (Number(count) || 0), 0)
  }

  webhook(name, subject) {
    return this.page.locator(`.webhook[data-name="${name}"]`, { has: this.page.locator(`.channel:text-is("${channelOf(subject)}")`) }).first()
  }

  async fits() {
    const [needed, width] = await this.page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth])
    assert.ok(needed <= width, `it is ${needed} wide in a window of ${width}`)
  }

  async shoot(name) {
    await this.fits()
    await this.page.evaluate(() => document.fonts.ready)
    await this.page.screenshot({ path: `${SCREENSHOTS}/filtrand-${name}.png` })
  }
}

let [one, two] = []
const [a, b, c, d] = (await status()).suggestions

await check("a page without a subject says so and offers some", async () => {
  one = await Visitor.open()
  await one.linkIs("connected")
  await one.page.getByText("Nothing is filtered for you yet").waitFor()
  await until("suggestions", () => one.page.locator(".topic").count(), (count) => count > 3)
  assert.deepEqual(await matched(), [])
  await one.shoot("empty")
})

await check("a subject that is typed becomes live, and one that a link brings", async () => {
  await one.type(a.toUpperCase())
  two = await Visitor.open([b], { colorScheme: "dark" })
  await one.isLive(a)
  await two.isLive(b)
  assert.ok(one.page.url().endsWith(`#${a}`))
  await isMatched([a, b])
})

await check("items arrive for live subjects only, and what they mention is marked", async () => {
  await Promise.all([one.gets(4), two.gets(4)])
  for (const [visitor, subject] of [[one, a], [two, b]]) {
    const texts = await visitor.texts()
    assert.ok(texts.length > 0 && texts.every((text) => text.search(mentionOf(subject)) !== -1), texts.join("\n"))
    const marks = await visitor.page.locator(".item mark").allTextContents()
    assert.ok(marks.every((mark) => mark.toLowerCase().startsWith(subject)), marks.join())
    assert.deepEqual([...new Set(await visitor.page.locator(".tag").allTextContents())], [subject])
  }
  await staysMatched([a, b])
})

await check("the side panel shows the live subjects and the webhooks that made them live", async () => {
  const { subjects } = await status()
  for (const visitor of [one, two]) {
    for (const { subject, seq } of subjects) {
      const row = visitor.webhook("channel_occupied", subject)
      await row.waitFor()
      assert.match(await row.textContent(), new RegExp(`starts matching “${subject}”seq ${seq} · attempt 1`))
      await visitor.page.locator(`#live .subject[data-subject="${subject}"] .items`, { hasText: /[1-9]\d* items?/ }).waitFor()
    }
  }
})

await check("a visitor joins another's subject by a click and leaves it by a key; for the other it goes on", async () => {
  const before = await seqs()
  await one.page.locator(`#live .subject[data-subject="${b}"] button`).click()
  await one.isLive(a, b)
  await one.gets(3)
  await one.chip(b).locator("button").press("Delete")
  await one.chip(b).waitFor({ state: "detached" })
  assert.equal(await one.page.evaluate(() => document.activeElement.closest(".chip")?.dataset.subject), a)
  await two.gets(3)
  await staysTold(before)
})

await check("a subject that nothing mentions says that items come as they come; markup is text", async () => {
  const odd = `<img src=x onerror="alert(1)">`
  const three = await Visitor.open([odd])
  await three.page.getByText(`Listening for “${odd}”`).waitFor()
  await until("it to be matched", matched, (got) => got.includes(odd))
  await three.shoot("waiting")
  assert.equal(await three.page.locator(".ask img, aside img").count(), 0)
  await three.page.getByLabel("Which subject").fill("x".repeat(60).replaceAll("x", "é"))
  await three.page.keyboard.press("Enter")
  await three.page.getByText("That is too long").waitFor()
  await three.page.keyboard.press("Escape")
  assert.equal(await three.page.getByLabel("Which subject").inputValue(), "")
  await three.page.locator(".chip button").press("Escape")
  await three.page.getByText("Nothing is filtered for you yet").waitFor()
  await three.close()
  await isMatched([a, b])
})

await check("a reload keeps the subjects, and tells nothing", async () => {
  const before = await seqs()
  await one.page.reload()
  await one.isLive(a)
  await one.gets(2)
  await staysTold(before)
})

await check("both colour schemes, wide and 380 px narrow, without scrolling sideways", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const visitor = await Visitor.open([a, b], { colorScheme })
    await visitor.isLive(a, b)
    await visitor.gets(8)
    await visitor.shoot(colorScheme)
    const ground = await visitor.page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    assert.equal(ground.match(/\d+/g).every((value) => Number(value) < 128), colorScheme === "dark")
    await visitor.page.setViewportSize(NARROW)
    await visitor.shoot(`380-${colorScheme}`)
    await visitor.page.locator("summary", { hasText: "Webhooks" }).click()
    await visitor.shoot(`380-${colorScheme}-webhooks`)
    await visitor.close()
  }
})

await check("while the visitor reads further down, new items wait and nothing moves", async () => {
  await until("a long list", () => one.page.locator(".item").count(), (count) => count > 20, 60_000)
  await one.page.locator(".item").nth(15).scrollIntoViewIfNeeded()
  const shown = await one.page.locator(".item").count()
  await one.page.locator("#hold.waiting").waitFor()
  assert.equal(await one.page.locator(".item").count(), shown)
  await one.page.locator("#hold").click()
  await until("more items", () => one.page.locator(".item").count(), (count) => count > shown)
})

await check("when the last visitor of a subject closes the page, its matching stops within the delay and a second", async () => {
  const closing = Date.now()
  await two.close()
  const closed = Date.now()
  await isMatched([a])
  const stopped = Date.now()
  assert.ok(closing + DELAY_MS <= stopped && stopped <= closed + DELAY_MS + 1_000, `it took ${stopped - closed} ms`)
  await one.webhook("channel_vacated", b).waitFor()
  await staysMatched([a])
})

// ---- crashes ----

await check("SIGKILL of the example: afterwards exactly the open subjects are matched", async () => {
  const leaver = await Visitor.open([b])
  await leaver.isLive(b)
  const before = await status()
  tolerated = serverIsAway
  please("kill filtrand")
  await until("it to be gone", status, (answer) => typeof answer === "string")
  await leaver.close()
  await one.type(c)
  const isBack = ({ started_ms, webhooks }) => before.started_ms < started_ms && webhooks.some(({ name }) => name === "told list")
  await until("it to be back, with the told list read", status, isBack)
  await isMatched([a, c])
  await one.isLive(a, c)
  assert.equal((await status()).subjects.find(({ subject }) => subject === a).from, "told list")
  await one.gets(4)
  await staysMatched([a, c])
  await one.shoot("after-crash")
  tolerated = () => false
})

await check("SIGKILL of Vacancy: the page says so, connects again, and exactly the open subjects are matched", async () => {
  const leaver = await Visitor.open([b])
  const stayer = await Visitor.open([d])
  await leaver.isLive(b)
  await stayer.isLive(d)
  const before = (await status()).subjects
  tolerated = vacancyIsAway
  please("kill vacancy")
  await one.page.getByText("Vacancy is away.").waitFor()
  await one.shoot("vacancy-away")
  await leaver.close()
  await Promise.all([one.linkIs("connected"), stayer.linkIs("connected")])
  assert.equal(await one.page.locator("#banner").isVisible(), false)
  await isMatched([a, c, d], RECOVERY_MS + SOON_MS)
  await Promise.all([one.gets(4), stayer.gets(2)])
  const kept = before.filter(({ subject }) => subject !== b)
  assert.deepEqual((await status()).subjects.map(({ seq }) => seq).sort(), kept.map(({ seq }) => seq).sort(), "it was told anew")
  await staysMatched([a, c, d])
  await stayer.close()
  await isMatched([a, c])
  tolerated = () => false
})

await check("the page says when the server behind it does not answer, and when it does again", async () => {
  please("stop filtrand")
  await one.linkIs("server-away")
  await one.page.getByText("The server of this page does not answer.").waitFor()
  await one.shoot("server-away")
  please("continue filtrand")
  await one.linkIs("connected")
  assert.equal(await one.page.locator("#banner").isVisible(), false)
  await one.gets(2)
})

await check("when nobody is left, nothing is matched and nothing is published", async () => {
  await one.close()
  await isMatched([])
  const isVacant = ({ webhooks }, name) => webhooks.find(({ channel }) => channel === name).name === "channel_vacated"
  const isQuiet = (now) => isVacant(now, "subjects") && isVacant(now, "webhooks")
  const { published, stream } = await until("the side panel's channels to be vacated", status, isQuiet)
  await until("200 items to pass", status, (now) => stream.seen + 200 <= now.stream.seen)
  assert.equal((await status()).published, published)
})

await check("the browser's console has no error", () => assert.deepEqual(complaints, []))

await browser.close()
finish()
