import { AwsClient } from "aws4fetch"
import { Effect, Layer, Option, Redacted, Stream } from "effect"
import { addressesUnder, isName, MediaError, type MediaReason, MediaStore, nameOf, recallOf } from "../../services/MediaStore.ts"
import type { Stored } from "../../services/MediaStore.ts"
import * as Settings from "../../services/Settings.ts"
import type { MediaAddress } from "../../services/settings/MediaAddress.ts"
import { matching } from "./matching.ts"

/** An answer to a request with a picture in it, or to one for it, takes no longer (milliseconds). */
const PATIENCE = 30_000
/** A year: a file under its own hash never changes. */
const CACHE = "public, max-age=31536000, immutable"

const reasonOf = (status: number, code: string): MediaReason => {
  if (status === 507 || /QuotaExceeded|StorageFull|EntityTooLarge|InsufficientStorage/i.test(code)) return "full"
  if (status === 404 && code !== "NoSuchBucket") return "missing"
  return status >= 500 || status === 408 || status === 429 || status === 409 || /RequestTimeout|SlowDown/.test(code)
    ? "away"
    : "refused"
}
const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }
const textIn = (xml: string, tag: string) =>
  new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml)?.[1]?.replace(/&(\w+);/g, (whole, name: string) => entities[name] ?? whole)

interface Asked {
  readonly operation: string
  readonly method: "GET" | "PUT" | "HEAD" | "DELETE"
  /** In the bucket; "" is the bucket itself. */
  readonly key: string
  readonly query?: string
  readonly headers?: Record<string, string>
  readonly body?: Uint8Array<ArrayBuffer>
}

/** A bucket of S3 or of a server that speaks like it. A `PUT` carries the hash of its bytes, which the server compares. */
export const layer = (
  { bucket, endpoint, prefix, region, style }: Extract<MediaAddress, { readonly kind: "bucket" }>,
  publicBase: Option.Option<string>
) =>
  Layer.effect(
    MediaStore,
    Effect.gen(function* () {
      const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = yield* Settings.of(
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN"
      )
      const secret = (value: Option.Option<Redacted.Redacted>) =>
        Option.match(value, { onNone: () => "", onSome: Redacted.value })
      const client = new AwsClient({
        accessKeyId: secret(AWS_ACCESS_KEY_ID),
        secretAccessKey: secret(AWS_SECRET_ACCESS_KEY),
        ...(Option.isSome(AWS_SESSION_TOKEN) ? { sessionToken: Redacted.value(AWS_SESSION_TOKEN.value) } : {}),
        service: "s3",
        region
      })
      const base = style === "path" ? `${endpoint}/${bucket}` : endpoint.replace("://", `://${bucket}.`)

      /** One request. A `PUT` that must not replace a file may be answered 412: the file is there already. */
      const ask = Effect.fnUntraced(function* <A>(asked: Asked, read: (answer: Response) => Promise<A>) {
        const { body, headers, key, method, operation, query } = asked
        const answered = Effect.tryPromise({
          try: async (interrupted) => {
            const url = `${base}/${key}${query === undefined ? "" : `?${query}`}`
            const request = await client.sign(url, { method, ...(headers && { headers }), ...(body && { body }) })
            const signal = AbortSignal.any([interrupted, AbortSignal.timeout(PATIENCE)])
            const answer = await fetch(request, { signal, redirect: "error" })
            if (answer.ok || (answer.status === 412 && method === "PUT")) return { value: await read(answer) }
            const text = (await answer.text()).slice(0, 4000)
            return { status: answer.status, code: textIn(text, "Code") ?? "" }
          },
          // The text of a failure may contain the address, which is no secret, and never the signature.
          catch: (cause) => {
            const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
            const detail = inner instanceof Error ? inner.message || inner.name : "no answer"
            return new MediaError({ operation, reason: "away", detail: detail.slice(0, 300) })
          }
        })
        const answer = yield* answered
        if ("value" in answer) return answer.value
        const { code, status } = answer
        return yield* new MediaError({ operation, reason: reasonOf(status, code), detail: `HTTP ${status} ${code}`.trim() })
      })
      const drop = async (answer: Response) => void (await answer.body?.cancel())
      const keyOf = (name: string) => prefix + name

      const put = (key: string, operation: string, body: Uint8Array, sha256: string, more: Record<string, string>) =>
        ask(
          {
            operation,
            method: "PUT",
            key,
            // `fetch` takes no bytes that several threads may share; ours never are.
            body: body as Uint8Array<ArrayBuffer>,
            headers: { "x-amz-content-sha256": sha256, ...more }
          },
          drop
        )
      /** A bucket that is missing, or a proxy's 404, is for a person to see to. */
      const orRefused = <A>(call: Effect.Effect<A, MediaError>) =>
        Effect.mapError(call, (error) => (error.reason === "missing" ? new MediaError({ ...error, reason: "refused" }) : error))

      const page = Effect.fnUntraced(function* (after: string | undefined) {
        const query = new URLSearchParams({
          "list-type": "2",
          prefix,
          ...(after === undefined ? {} : { "continuation-token": after })
        })
        const xml = yield* orRefused(
          ask({ operation: "list", method: "GET", key: "", query: `${query}` }, (answer) => answer.text())
        )
        const found = [...xml.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)].flatMap(([, entry = ""]): ReadonlyArray<Stored> => {
          const name = (textIn(entry, "Key") ?? "").slice(prefix.length)
          const at = Date.parse(textIn(entry, "LastModified") ?? "")
          return isName(name) ? [{ name, size: Number(textIn(entry, "Size")), at }] : []
        })
        return [found, Option.fromUndefinedOr(textIn(xml, "NextContinuationToken"))] as const
      })

      const statOf = (name: string) =>
        ask({ operation: "stat", method: "HEAD", key: keyOf(name) }, async ({ headers }) => ({
          name,
          size: Number(headers.get("content-length")),
          at: Date.parse(headers.get("last-modified") ?? "")
        })).pipe(
          Effect.asSome,
          Effect.catchIf(
            ({ reason }) => reason === "missing",
            () => Effect.succeedNone
          )
        )

      return MediaStore.of({
        kind: "bucket",
        ...addressesUnder(Option.getOrElse(publicBase, () => `${base}/${prefix}`)),
        put: Effect.fn("MediaStore.put")(function* (media) {
          yield* matching(media)
          const name = nameOf(media)
          const headers = { "content-type": media.contentType, "cache-control": CACHE, "if-none-match": "*" }
          yield* orRefused(put(keyOf(name), "put", media.bytes, media.sha256, headers))
          return name
        }),
        get: Effect.fn("MediaStore.get")((name) =>
          ask({ operation: "get", method: "GET", key: keyOf(name) }, async (answer) => new Uint8Array(await answer.arrayBuffer()))
        ),
        stat: Effect.fn("MediaStore.stat")(statOf),
        remove: Effect.fn("MediaStore.remove")((name) =>
          Effect.catchIf(
            ask({ operation: "remove", method: "DELETE", key: keyOf(name) }, drop),
            ({ reason }) => reason === "missing",
            () => Effect.void
          )
        ),
        recall: Effect.fn("MediaStore.recall")((sha256) =>
          orRefused(put(keyOf(recallOf(sha256)), "recall", new Uint8Array(0), EMPTY, { "content-type": "text/plain" }))
        ),
        isRecalled: Effect.fn("MediaStore.isRecalled")((sha256) => Effect.map(statOf(recallOf(sha256)), Option.isSome)),
        list: Stream.paginate(undefined as string | undefined, (after) =>
          Effect.map(page(after), ([found, next]) => [found, Option.map(next, (token): string | undefined => token)] as const)
        ),
        check: orRefused(put(`${prefix}.check`, "check", new Uint8Array(0), EMPTY, { "content-type": "text/plain" })).pipe(
          Effect.andThen(ask({ operation: "check", method: "DELETE", key: `${prefix}.check` }, drop)),
          Effect.asVoid,
          Effect.withSpan("MediaStore.check")
        )
      })
    })
  )
/** The SHA-256 of nothing. */
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
