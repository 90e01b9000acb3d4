import { Effect, Layer } from "effect"
import { LONGEST, MediaSource, SourceError } from "../../services/MediaSource.ts"

/** Redirects are followed this often, as long as they stay with http and https. */
const REDIRECTS = 3
/** A file takes no longer in all (milliseconds). */
const PATIENCE = 60_000

const failed = (reason: SourceError["reason"], detail: string) => new SourceError({ reason, detail })

const fromData = (address: string) => {
  const [, base64, text = ""] = /^data:[^,]*?(;base64)?,(.*)$/s.exec(address) ?? []
  return new Uint8Array(base64 === undefined ? Buffer.from(decodeURIComponent(text)) : Buffer.from(text, "base64"))
}

const isHttp = (url: URL | null): url is URL => url?.protocol === "http:" || url?.protocol === "https:"

/** Never more than `LONGEST` bytes are held, whatever the server says or sends. */
const bodyOf = async (answer: Response) => {
  const tooLarge = failed("too large", `more than ${LONGEST} bytes`)
  if (Number(answer.headers.get("content-length")) > LONGEST) {
    await answer.body?.cancel()
    throw tooLarge
  }
  const chunks: Array<Uint8Array> = []
  let length = 0
  for await (const chunk of answer.body ?? []) {
    length += chunk.length
    if (length > LONGEST) throw tooLarge // leaving the loop cancels the rest
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks, length))
}

const get = async (address: string, signal: AbortSignal): Promise<Uint8Array> => {
  let url = URL.parse(address)
  for (let hops = 0; hops <= REDIRECTS; hops++) {
    if (!isHttp(url)) throw failed("no address", "only http and https are followed")
    // No key and no cookie goes along: a picture's address needs none, and may be anybody's.
    const answer = await fetch(url, { signal, redirect: "manual", headers: { accept: "image/*,*/*;q=0.1" } })
    if (answer.ok) return await bodyOf(answer)
    await answer.body?.cancel()
    const { status } = answer
    if (status < 300 || status >= 400)
      throw failed(status < 500 && status !== 408 && status !== 429 ? "gone" : "away", `HTTP ${status}`)
    url = URL.parse(answer.headers.get("location") ?? "", url.href)
  }
  throw failed("away", `more than ${REDIRECTS} redirects`)
}

const codeOf = (cause: unknown): string => {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause
  if (inner instanceof Error && "code" in inner && typeof inner.code === "string") return inner.code
  return inner instanceof Error ? inner.name : "the connection broke"
}

export const layerWith = ({ patience }: { readonly patience: number }) =>
  Layer.succeed(MediaSource, {
    read: Effect.fn("MediaSource.read")((address) =>
      Effect.tryPromise({
        try: async (interrupted) =>
          address.startsWith("data:")
            ? fromData(address)
            : await get(address, AbortSignal.any([interrupted, AbortSignal.timeout(patience)])),
        catch: (cause) => (cause instanceof SourceError ? cause : failed("away", codeOf(cause)))
      })
    )
  })
export const layer = layerWith({ patience: PATIENCE })
