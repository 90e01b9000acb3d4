import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { createServer, type RequestListener } from "node:http"
import * as MediaSourceHttp from "../../src/layers/media/MediaSourceHttp.ts"
import { LONGEST, MediaSource } from "../../src/services/MediaSource.ts"
import { freePort } from "../servers/Process.ts"

/** A server of somebody else's; gives its address. */
const serving = (listener: RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<ReturnType<typeof createServer>>((resume) => {
      const server = createServer(listener).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  ).pipe(
    Effect.map((server) => {
      const address = server.address()
      return `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
    })
  )
const read = (address: string, patience = 5000) =>
  Effect.flatMap(MediaSource, (source) => source.read(address)).pipe(Effect.provide(MediaSourceHttp.layerWith({ patience })))
const why = (address: string, patience?: number) => Effect.map(Effect.flip(read(address, patience)), ({ reason }) => reason)
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

describe("a file of the provider's", () => {
  it.live("is read whole, also after a redirect and from a data address", () =>
    Effect.gen(function* () {
      const asked: Array<Record<string, unknown>> = []
      const base = yield* serving(({ headers, url }, answer) => {
        asked.push(headers)
        if (url === "/old") answer.writeHead(302, { location: "/new" }).end()
        else answer.end("a picture")
      })
      assert.strictEqual(text(yield* read(`${base}/new`)), "a picture")
      assert.strictEqual(text(yield* read(`${base}/old`)), "a picture")
      assert.strictEqual(text(yield* read("data:image/png;base64,YSBwaWN0dXJl")), "a picture")
      for (const headers of asked) assert.isUndefined(headers["authorization"])
    })
  )

  it.live("that is cut short is not taken for a file", () =>
    Effect.gen(function* () {
      const base = yield* serving(({ url }, answer) => {
        if (url === "/length") answer.writeHead(200, { "content-length": 1000 })
        answer.write("half a pic")
        setTimeout(() => answer.destroy(), 50)
      })
      assert.strictEqual(yield* why(`${base}/length`), "away")
      assert.strictEqual(yield* why(`${base}/chunks`), "away")
    })
  )

  it.live("that is gone, or in trouble, says which", () =>
    Effect.gen(function* () {
      const base = yield* serving(({ url = "" }, answer) => answer.writeHead(Number(url.slice(1))).end())
      for (const status of [404, 410, 403, 451]) assert.strictEqual(yield* why(`${base}/${status}`), "gone", `${status}`)
      for (const status of [500, 503, 429, 408]) assert.strictEqual(yield* why(`${base}/${status}`), "away", `${status}`)
      assert.strictEqual(yield* why(`http://127.0.0.1:${yield* Effect.promise(freePort)}/`), "away")
    })
  )

  it.live("that is longer than any picture is given up, said to be or found to be", () =>
    Effect.gen(function* () {
      let sent = 0
      const base = yield* serving(({ url }, answer) => {
        if (url === "/said") return answer.writeHead(200, { "content-length": LONGEST + 1 }).flushHeaders()
        const piece = Buffer.alloc(1024 * 1024)
        const more = () => {
          sent += piece.length
          if (!answer.destroyed) answer.write(piece, more)
        }
        more()
      })
      assert.strictEqual(yield* why(`${base}/said`), "too large")
      assert.strictEqual(yield* why(`${base}/found`, 30_000), "too large")
      assert.isBelow(sent, 2 * LONGEST)
    })
  )

  it.live("that does not come to its end in time is given up", () =>
    Effect.gen(function* () {
      const base = yield* serving((_, answer) => void answer.write("half a pic"))
      assert.strictEqual(yield* why(base, 300), "away")
    })
  )

  it.live("is looked for at http and https alone, wherever a redirect leads, and not for ever", () =>
    Effect.gen(function* () {
      const base = yield* serving(({ url }, answer) =>
        answer.writeHead(302, { location: url === "/file" ? "file:///etc/passwd" : "/again" }).end()
      )
      for (const address of ["file:///etc/passwd", "ftp://host/x", "not an address", `${base}/file`])
        assert.strictEqual(yield* why(address), "no address", address)
      assert.strictEqual(yield* why(`${base}/again`), "away")
    })
  )
})
