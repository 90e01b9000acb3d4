import { Effect, Layer } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { css } from "./styles.ts"

/** A file whose address names its contents, so that a browser may keep it for ever. */
const asset = (name: string, contentType: string, text: string) => {
  const address: `/${string}` = `/${createHash("sha256").update(text).digest("hex").slice(0, 12)}-${name}`
  return { address, contentType, text }
}

// Beside the bundle the script is a bundle of its own, as it is for a browser.
const file = new URL(import.meta.url.endsWith(".ts") ? "browser.mjs" : "console.mjs", import.meta.url)
let read: ReturnType<typeof asset> | undefined
/** Read when a console first needs it: no other command does. */
export const script = () => (read ??= asset("console.js", "text/javascript; charset=utf-8", readFileSync(file, "utf8")))
export const styles = asset("console.css", "text/css; charset=utf-8", css)

const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#2e7d6b" stroke-width="2"><rect x="3" y="2" width="18" height="20" rx="4"/><circle cx="12" cy="9" r="3"/><path d="M6 19c0-4 2.5-6 6-6s6 2 6 6"/></svg>`

/** They say nothing of anybody, so they are for those too who have not signed in. */
const served = ({ address, contentType, text }: ReturnType<typeof asset>, seconds: number) =>
  HttpRouter.add(
    "GET",
    address,
    HttpServerResponse.text(text, { contentType, headers: { "cache-control": `public, max-age=${seconds}, immutable` } })
  )
const YEAR = 31_536_000
export const routes = Layer.mergeAll(
  Layer.unwrap(Effect.sync(() => served(script(), YEAR))),
  served(styles, YEAR),
  served({ address: "/icon.svg", contentType: "image/svg+xml", text: icon }, 86_400)
)
