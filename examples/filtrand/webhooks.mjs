// Receives Vacancy's webhooks.

/** Vacancy sends at most 90 KB (`webhooks.max_batch_bytes`). */
const BODY_MAX = 2 * 1024 * 1024

// region: webhooks
/** Answers one webhook: `handle(event, attempt)` gets each of its events, if the signature fits. */
export async function receiveWebhook(pusher, request, response, handle) {
  const rawBody = await bodyOf(request)
  if (rawBody === undefined) return response.writeHead(413, { connection: "close" }).end()
  if (!isGenuine(pusher, request.headers, rawBody)) return response.writeHead(401).end()
  const attempt = Number(request.headers["x-vacancy-attempt"] ?? 1)
  for (const event of JSON.parse(rawBody).events) handle(event, attempt)
  response.writeHead(200).end()
}
// endregion: webhooks

function isGenuine(pusher, headers, rawBody) {
  // The SDK wants both headers to be there.
  if (!headers["x-pusher-key"] || !headers["x-pusher-signature"]) return false
  return pusher.webhook({ headers, rawBody }).isValid()
}

/** The body as it came, or undefined if it is too long. */
async function bodyOf(request) {
  const chunks = []
  let length = 0
  for await (const chunk of request) {
    length += chunk.length
    if (BODY_MAX < length) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}
