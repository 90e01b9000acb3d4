import { Deferred, Duration, Effect, Layer, RcRef, Schema, Semaphore } from "effect"
import { fork } from "node:child_process"
import { createHash } from "node:crypto"
import { fileURLToPath } from "node:url"
import { extensions, type Expected, NoPicture, Pictures, PicturesUnavailable } from "../../services/Pictures.ts"
import type { Answer, Order } from "./Examination.ts"
import { check, MOST_PIXELS } from "./check.ts"
import { marked, readPicture } from "./marks/mark.ts"

/** How long the process may take to start, and over one picture; and how long it stays without work. */
const START_LIMIT = Duration.seconds(20)
const PICTURE_LIMIT = Duration.seconds(20)
const IDLE = Duration.seconds(30)
/** Each decoder that a picture ends might have been ended by something else, as by the kernel for want of memory. */
const ATTEMPTS = 2

/** The decoder has ended, or was ended because it took too long. */
class DecoderLost extends Schema.TaggedError<DecoderLost>()("DecoderLost", { detail: Schema.String }) {}

/** Beside the bundle the decoder is a bundle of its own, so that it does not load the worker. */
const program = fileURLToPath(new URL(import.meta.url.endsWith(".ts") ? "decoder.ts" : "decoder.mjs", import.meta.url))

export interface Options {
  readonly pictureLimit?: Duration.Duration
  readonly idle?: Duration.Duration
}

/** A process that decodes pictures, for as long as the scope lives. */
const decoder = Effect.gen(function* () {
  const ready = yield* Deferred.make<void, PicturesUnavailable>()
  const lost = yield* Deferred.make<never, DecoderLost>()
  const answers = new Map<number, (answer: Answer) => void>()
  let words = ""
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      fork(program, [], {
        serialization: "advanced",
        execArgv: [],
        // No secret is needed to decode a picture. One arena and one thread: it is to be small, and has time.
        env: { MALLOC_ARENA_MAX: "1", VIPS_CONCURRENCY: "1" },
        stdio: ["ignore", "ignore", "pipe", "ipc"]
      })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )
  const end = (detail: string) => {
    Deferred.doneUnsafe(ready, Effect.fail(new PicturesUnavailable({ detail: words.trim() === "" ? detail : words.trim() })))
    Deferred.doneUnsafe(lost, Effect.fail(new DecoderLost({ detail })))
  }
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-1000)
  })
  child.on("error", ({ message }) => end(message))
  child.on("close", (code, signal) => end(`the decoder ended with ${signal ?? `exit code ${code}`}`))
  child.on("message", (message: "ready" | Answer) => {
    if (message === "ready") Deferred.doneUnsafe(ready, Effect.void)
    else answers.get(message.order)?.(message)
  })
  yield* Deferred.await(ready).pipe(
    Effect.timeoutOrElse({
      duration: START_LIMIT,
      orElse: () =>
        Effect.fail(new PicturesUnavailable({ detail: `the decoder did not start within ${Duration.format(START_LIMIT)}` }))
    })
  )
  let last = 0
  return (bytes: Uint8Array) =>
    Effect.callback<Answer>((resume) => {
      const order: Order = { order: ++last, bytes, pixels: MOST_PIXELS }
      answers.set(order.order, (answer) => resume(Effect.succeed(answer)))
      child.send(order, (error) => error && end(error.message))
      return Effect.sync(() => answers.delete(order.order))
    }).pipe(Effect.raceFirst(Deferred.await(lost)))
})

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/** Examines pictures one at a time in a process of its own, which starts with the first and ends when there is no more work. */
export const layerWith = ({ idle = IDLE, pictureLimit = PICTURE_LIMIT }: Options) =>
  Layer.effect(
    Pictures,
    Effect.gen(function* () {
      const turn = yield* Semaphore.make(1)
      const decoders = yield* RcRef.make({ acquire: decoder, idleTimeToLive: idle })

      const once = (bytes: Uint8Array) =>
        Effect.scoped(Effect.flatMap(RcRef.get(decoders), (decode) => decode(bytes))).pipe(
          Effect.timeoutOrElse({
            duration: pictureLimit,
            orElse: () =>
              Effect.fail(new DecoderLost({ detail: `the decoder took longer than ${Duration.format(pictureLimit)}` }))
          }),
          Effect.tapErrorTag("DecoderLost", () => RcRef.invalidate(decoders)),
          Effect.onInterrupt(() => RcRef.invalidate(decoders))
        )
      const decoded = (bytes: Uint8Array) =>
        once(bytes).pipe(
          Effect.retry({ times: ATTEMPTS - 1, while: (error) => error._tag === "DecoderLost" }),
          Effect.catchTag("DecoderLost", ({ detail }) => Effect.fail(new NoPicture({ reason: "breaks the decoder", detail })))
        )

      return Pictures.of({
        examine: Effect.fn("Pictures.examine")(function* (bytes: Uint8Array, expected: Expected) {
          const picture = yield* Effect.fromResult(check(bytes, expected))
          const answer = yield* turn.withPermit(decoded(bytes))
          if (answer.flaw !== null) return yield* new NoPicture({ reason: answer.flaw, detail: answer.detail })
          const whole = marked(picture, bytes, expected.mark)
          const thumbnail = yield* Effect.orDie(Effect.fromResult(readPicture(answer.thumbnail)))
          return {
            contentType: picture.contentType,
            extension: extensions[picture.contentType],
            width: picture.width,
            height: picture.height,
            bytes: whole,
            sha256: sha256(whole),
            thumbnail: marked(thumbnail, answer.thumbnail, expected.mark),
            thumbhash: answer.thumbhash,
            phash: answer.phash
          }
        })
      })
    })
  )

export const layer = layerWith({})
