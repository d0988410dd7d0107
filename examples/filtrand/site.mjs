// The files of the page.
import fs from "node:fs/promises"

const FONTS = "node_modules/@fontsource-variable"
const FILES = {
  "/": "page/index.html",
  "/page.css": "page/page.css",
  "/page.js": "page/page.js",
  "/dom.js": "page/dom.js",
  "/feed.js": "page/feed.js",
  "/link.js": "page/link.js",
  "/panel.js": "page/panel.js",
  "/subject.js": "page/subject.js",
  "/icon.svg": "page/icon.svg",
  "/pusher.js": "node_modules/pusher-js/dist/web/pusher.min.js",
  "/newsreader.woff2": `${FONTS}/newsreader/files/newsreader-latin-wght-normal.woff2`,
  "/newsreader-ext.woff2": `${FONTS}/newsreader/files/newsreader-latin-ext-wght-normal.woff2`,
  "/instrument-sans.woff2": `${FONTS}/instrument-sans/files/instrument-sans-latin-wght-normal.woff2`,
}
const TYPES = { html: "text/html; charset=utf-8", css: "text/css", js: "text/javascript", svg: "image/svg+xml", woff2: "font/woff2" }

/** Answers with the file of a path; `webSocket` is where the page's client may connect to. */
export async function serveFile(path, response, webSocket) {
  const file = Object.hasOwn(FILES, path) ? FILES[path] : undefined
  if (file === undefined) return response.writeHead(404, { "content-type": "text/plain" }).end("There is nothing here.\n")
  const content = await fs.readFile(new URL(file, import.meta.url))
  response.writeHead(200, {
    "content-type": TYPES[file.split(".").at(-1)],
    "cache-control": /woff2|svg/.test(file) ? "max-age=86400" : "no-cache",
    "content-security-policy": `default-src 'self'; connect-src 'self' ${webSocket}; base-uri 'none'; frame-ancestors 'none'`,
    "x-content-type-options": "nosniff",
  })
  response.end(content)
}
