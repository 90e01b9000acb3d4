import { Option, Schema } from "effect"
import * as zlib from "node:zlib"
import type { Fault } from "./Fault.ts"
import { inForm } from "./odd.ts"
import { html, type Reply } from "./HttpReply.ts"

const readBody = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.JsonObject))
const packers: Readonly<Record<string, (body: Buffer) => Buffer>> = {
  gzip: zlib.gzipSync,
  deflate: zlib.deflateSync,
  "deflate-raw": zlib.deflateRawSync,
  br: zlib.brotliCompressSync,
  zstd: zlib.zstdCompressSync
}

const packed = (reply: Reply, how: string, body: Buffer): Reply => ({
  ...reply,
  headers: { ...reply.headers, "content-encoding": how === "deflate-raw" ? "deflate" : how },
  body: (packers[how] ?? zlib.gzipSync)(body)
})

const HUGE = 3_000_000
const BOMB = 32_000_000

/** The answer with those faults that can be applied before it is sent. */
export const spoil = (fault: Fault, reply: Reply): Reply => {
  const text = reply.body.toString()
  const body = Option.getOrElse(readBody(text), (): Schema.JsonObject => ({}))
  const withBody = (change: Schema.Json): Reply => ({ ...reply, body: JSON.stringify(change) })
  const { "x-fal-request-id": _, ...unsigned } = reply.headers
  const { "content-type": __, ...untyped } = reply.headers
  const { cancel_url, request_id: ___, response_url, status_url, ...rest } = body
  switch (fault.kind) {
    case "accept-then-gateway":
      return html(fault.status ?? 502, `${fault.status ?? 502} Bad Gateway`)
    case "accept-then-html":
      return html(200, "Welcome")
    case "no-id":
      return { ...withBody(rest), headers: unsigned }
    case "id-in-header":
      return withBody(rest)
    case "id-in-addresses":
      return {
        ...withBody({
          ...rest,
          status_url: status_url ?? null,
          response_url: response_url ?? null,
          cancel_url: cancel_url ?? null
        }),
        headers: unsigned
      }
    case "id-in-beginning":
      return { ...reply, headers: unsigned }
    case "other-host": {
      const away = (url: Schema.Json | undefined) => String(url).replace(/^https?:\/\/[^/]+/, "https://other.example")
      return withBody({ ...body, status_url: away(status_url), response_url: away(response_url), cancel_url: away(cancel_url) })
    }
    case "odd":
      return withBody(inForm(fault.type, body))
    case "text":
      return { ...reply, headers: { ...reply.headers, "content-type": "text/plain" }, body: "Your request has been dealt with." }
    case "encoded":
      return packed(reply, fault.type ?? "gzip", Buffer.from(reply.body))
    case "misencoded":
      return { ...reply, headers: { ...reply.headers, "content-encoding": "gzip" } }
    case "byte-order-mark":
      return { ...reply, body: `\uFEFF${text}` }
    case "no-content-type":
      return { ...reply, headers: untyped }
    case "long-headers":
      return { ...reply, headers: { ...reply.headers, "x-padding": "x".repeat(64 * 1024) } }
    case "huge":
      return withBody({ padding: "x".repeat(HUGE), ...body })
    case "bomb":
      return packed(reply, "gzip", Buffer.from(JSON.stringify({ padding: "x".repeat(BOMB), ...body })))
    default:
      return reply
  }
}
