// Receives Vacancy's webhooks: PORT=3000 APP_SECRET=… node receiver.mjs
// With WEBHOOK_SECRET=whsec_… (one of the endpoint's `secrets`) it asks for that signature too.
import { createHmac, timingSafeEqual } from "node:crypto"
import { createServer } from "node:http"

const { PORT = "3000", APP_SECRET = "app-secret", WEBHOOK_SECRET } = process.env
const TOLERANCE_S = 300
const IDS_KEPT = 1000

// A real back end keeps both with its data, and writes them in one transaction with what it does.
const ids = new Set()
const seqs = new Map()

function same(given, wanted) {
  const [a, b] = [Buffer.from(given ?? ""), Buffer.from(wanted)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function isGenuine(headers, body) {
  const pusher = createHmac("sha256", APP_SECRET).update(body).digest("hex")
  if (!same(headers["x-pusher-signature"], pusher)) return false
  if (!WEBHOOK_SECRET) return true
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures = "" } = headers
  if (!(Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_S)) return false
  const secret = Buffer.from(WEBHOOK_SECRET.replace(/^whsec_/, ""), "base64")
  const standard = createHmac("sha256", secret).update(`${id}.${timestamp}.`).update(body).digest("base64")
  return signatures.split(" ").some((signature) => same(signature, `v1,${standard}`))
}

function handle(event) {
  if (event.seq !== undefined) {
    // A channel, a user in a channel, or a user: what is not newer than what we know is ignored.
    const key = JSON.stringify([event.channel, event.user_id])
    if (event.seq <= seqs.get(key)) return
    seqs.set(key, event.seq)
  }
  console.log(["verified", event.name, event.channel, event.user_id].filter((word) => word !== undefined).join(" "))
}

async function answer(request, response) {
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  if (!isGenuine(request.headers, body)) return response.writeHead(401).end()
  const id = request.headers["webhook-id"]
  if (!ids.has(id)) {
    JSON.parse(body).events.forEach(handle)
    ids.add(id)
    if (IDS_KEPT < ids.size) ids.delete(ids.values().next().value)
  }
  response.end()
}

// What could not be handled is not answered 2xx, so it comes again.
createServer((request, response) => {
  answer(request, response).catch(() => response.writeHead(500).end())
}).listen(Number(PORT), "127.0.0.1")
