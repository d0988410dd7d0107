// Verifies webhooks with `pusher` and with `standardwebhooks`, unchanged. On standard input comes one JSON document:
// { key, secret, standard: "whsec_…", requests: [{ name, headers: {…}, body }] }
import { readFileSync } from "node:fs"
import Pusher from "pusher"
import { Webhook } from "standardwebhooks"

const { key, secret, standard, requests } = JSON.parse(readFileSync(0, "utf8"))
let failed = 0

function check(sentence, body) {
  try {
    if (body() !== true) throw new Error("it is not")
    console.log(`ok - ${sentence}`)
  } catch (error) {
    failed += 1
    console.log(`not ok - ${sentence}: ${error.message}`)
  }
}

const refuses = (body) => {
  try {
    body()
    return false
  } catch {
    return true
  }
}

const pusher = new Pusher({ appId: "1", key, secret, host: "127.0.0.1" })
const webhook = new Webhook(standard)
for (const { name, headers, body } of requests) {
  const lower = Object.fromEntries(Object.entries(headers).map(([header, value]) => [header.toLowerCase(), value]))
  const tampered = body.replace("time_ms", "time_mS")
  check(`${name}: pusher finds it valid`, () => pusher.webhook({ headers: lower, rawBody: body }).isValid())
  check(`${name}: pusher reads its time`, () => pusher.webhook({ headers: lower, rawBody: body }).getTime().getTime() > 0)
  check(`${name}: pusher refuses it when tampered with`, () => !pusher.webhook({ headers: lower, rawBody: tampered }).isValid())
  check(`${name}: standardwebhooks finds it valid`, () => Array.isArray(webhook.verify(body, headers).events))
  check(`${name}: standardwebhooks refuses it when tampered with`, () => refuses(() => webhook.verify(tampered, headers)))
}
process.exit(failed === 0 ? 0 : 1)
