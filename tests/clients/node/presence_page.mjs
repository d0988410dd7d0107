// The page of examples/presence in a real browser: Debian's Chromium, without a window, driven by playwright-core.
// PAGE is its address, PRESENCE_PID and VACANCY_PID are the two processes, which this kills; they are started again
// by examples/with-vacancy. With PICTURES, a folder, it leaves pictures there.
import assert from "node:assert/strict"
import path from "node:path"
import { chromium } from "playwright-core"
import { allow, check, finish, until } from "./checks.mjs"

const FLAGS =
  "--disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split(" ")
const PATIENCE_MS = 30_000

allow(180_000)
const { PAGE, PICTURES } = process.env
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, chromiumSandbox: false, args: FLAGS })
const complaints = []

/** A visitor with a browser of its own, who has come in under that name. */
async function visitor(name, options = {}) {
  const context = await browser.newContext({ viewport: { width: 820, height: 620 }, ...options })
  context.setDefaultTimeout(PATIENCE_MS)
  const page = await open(context, "/")
  await page.getByLabel("Name").fill(name)
  await page.keyboard.press("Enter")
  await state(page, "connected")
  return { context, page }
}

async function open(context, address) {
  const page = await context.newPage()
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text())
  })
  page.on("pageerror", (error) => complaints.push(`an exception: ${error.message}`))
  await page.goto(new URL(address, PAGE).href)
  return page
}

const state = (page, want) => page.locator(`#connection[data-state="${want}"]`).waitFor()

/** Waits until the row of a user says this: whether online, and the pages. */
async function row(page, user, online, ...pages) {
  const want = JSON.stringify({ online: String(online), pages: [String(pages.length), ...pages] })
  const read = (id) => {
    const tr = document.querySelector(`tr[data-user="${id}"]`)
    const texts = [...(tr?.querySelectorAll(".count, .page") ?? [])].map((it) => it.textContent)
    return JSON.stringify({ online: tr?.dataset.online, pages: texts })
  }
  await page
    .waitForFunction(`(${read})(${JSON.stringify(user)}) === ${JSON.stringify(want)}`, null, { timeout: PATIENCE_MS })
    .catch(async () => assert.equal(await page.evaluate(`(${read})(${JSON.stringify(user)})`), want))
}

const picture = async (page, name) => {
  if (PICTURES !== undefined) await page.screenshot({ path: path.join(PICTURES, `${name}.png`) })
}

const widths = (page) => page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth])

// ---- the checks ----

let ada, bob

await check("a name that no user id can be is refused by the form and by the server", async () => {
  const context = await browser.newContext()
  const page = await open(context, "/docs")
  await page.getByLabel("Name").fill("Ada Lovelace")
  await page.getByRole("button", { name: "Come in" }).click()
  assert.equal(await page.locator("input:invalid").count(), 1)
  const answer = await context.request.post(new URL("/login", PAGE).href, { form: { name: "<ada>" } })
  assert.equal(answer.status(), 400)
  await picture(page, "login")
  await context.close()
})

await check("who comes in is online, on the page that is open, and its time goes on", async () => {
  ada = await visitor("Ada")
  await row(ada.page, "Ada", true, "home")
  const today = () => ada.page.locator('tr[data-user="Ada"] .today').textContent()
  const before = await today()
  await ada.page.waitForFunction((text) => document.querySelector('tr[data-user="Ada"] .today').textContent > text, before)
})

await check("who opens pages is seen by the others, without a reload", async () => {
  bob = await visitor("Bob", { colorScheme: "dark" })
  await row(ada.page, "Bob", true, "home")
  await open(bob.context, "/docs")
  await open(bob.context, "/prices")
  await row(ada.page, "Bob", true, "docs", "home", "prices")
  await bob.page.close()
  await row(ada.page, "Bob", true, "docs", "prices")
})

await check("a link of the navigation moves the user to that page, by keyboard", async () => {
  await ada.page.getByRole("link", { name: "Contact" }).focus()
  await ada.page.keyboard.press("Enter")
  await ada.page.waitForURL(/contact$/)
  await row(ada.page, "Ada", true, "contact")
})

await check("both schemes differ, and at 380 px nothing is wider than the page", async () => {
  const cleo = await visitor("a-name.of_forty.characters@example.com-0", { colorScheme: "dark", viewport: { width: 380, height: 700 } })
  await row(cleo.page, "Bob", true, "docs", "prices")
  const [wide, narrow] = await widths(cleo.page)
  assert.ok(wide <= narrow, `${wide} > ${narrow}`)
  await picture(cleo.page, "narrow-dark")
  const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
  assert.notEqual(await ground(cleo.page), await ground(ada.page))
  await cleo.context.close()
})

await check("the example killed and started again: the table is right, with who came meanwhile", async () => {
  process.kill(Number(process.env.PRESENCE_PID), "SIGKILL")
  await bob.context.pages()[0].close()
  const dora = await visitorWhenBack("Dora")
  await row(ada.page, "Dora", true, "home")
  await row(ada.page, "Bob", true, "prices")
  await picture(ada.page, "light")
  await picture(bob.context.pages()[0], "dark")
  await dora.context.close()
  await row(ada.page, "Dora", false)
})

/** The example is not there for a second. */
async function visitorWhenBack(name) {
  await until("the example to be back", () => fetch(PAGE), (answer) => answer.ok)
  return visitor(name)
}

await check("Vacancy killed and started again: the page says so, and the table is right again", async () => {
  const lost = ada.page.waitForFunction(() => document.getElementById("connection").dataset.state !== "connected")
  process.kill(Number(process.env.VACANCY_PID), "SIGKILL")
  await lost
  await state(ada.page, "connected")
  await row(ada.page, "Ada", true, "contact")
  await row(ada.page, "Bob", true, "prices")
  await open(bob.context, "/docs")
  await row(ada.page, "Bob", true, "docs", "prices")
})

await check("who leaves by the button is offline", async () => {
  await bob.context.pages()[0].close()
  await bob.context.pages()[0].getByRole("button", { name: "Leave" }).click()
  await row(ada.page, "Bob", false)
  await picture(ada.page, "left")
})

await check("nothing else in the console of any page", async () => {
  // While one of the two is away, its connections fail.
  const away = /WebSocket connection to .* failed|ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/
  assert.deepEqual(complaints.filter((text) => !away.test(text)), [])
})

await browser.close()
finish()
