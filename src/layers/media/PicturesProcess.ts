import { Duration, Effect, Layer, Option, RcRef, Semaphore } from "effect"
import { createHash } from "node:crypto"
import { resolve } from "node:path"
import { extensions, type Expected, type Mark, NoPicture, Pictures } from "../../services/Pictures.ts"
import * as Settings from "../../services/Settings.ts"
import * as ChildProcess from "./ChildProcess.ts"
import type { Answer, Order } from "./Examination.ts"
import type { SigningAnswer, SigningOrder } from "./Signing.ts"
import { check, MOST_PIXELS } from "./check.ts"
import { marked, readPicture } from "./marks/mark.ts"
import type { PictureFile } from "./marks/PictureFile.ts"

/** How long the process may take over one picture, and how long it stays without work. */
const PICTURE_LIMIT = Duration.seconds(20)
const IDLE = Duration.seconds(30)
/** Each process that a picture ends might have been ended by something else, as by the kernel for want of memory. */
const ATTEMPTS = 2

export interface Options {
  readonly pictureLimit?: Duration.Duration
  readonly idle?: Duration.Duration
}

/** The settings it reads. */
export const settings = ["C2PA_CERT", "C2PA_KEY"] as const satisfies ReadonlyArray<Settings.Name>

/** One process that does one thing after another: it starts with the first, and ends when there has been none for a while. */
const worked = Effect.fnUntraced(function* <O, A extends { readonly order: number }>(
  name: "decoder" | "signer",
  secrets: Readonly<Record<string, string>>,
  { idle = IDLE, pictureLimit = PICTURE_LIMIT }: Options
) {
  const turn = yield* Semaphore.make(1)
  const processes = yield* RcRef.make({ acquire: ChildProcess.start<O, A>(name, secrets), idleTimeToLive: idle })
  const once = (order: Omit<O, "order">) =>
    Effect.scoped(Effect.flatMap(RcRef.get(processes), (ask) => ask(order))).pipe(
      Effect.timeoutOrElse({
        duration: pictureLimit,
        orElse: () =>
          Effect.fail(new ChildProcess.ProcessLost({ detail: `the ${name} took longer than ${Duration.format(pictureLimit)}` }))
      }),
      Effect.tapErrorTag("ProcessLost", () => RcRef.invalidate(processes)),
      Effect.onInterrupt(() => RcRef.invalidate(processes))
    )
  return (order: Omit<O, "order">) =>
    once(order).pipe(Effect.retry({ times: ATTEMPTS - 1, while: (error) => error._tag === "ProcessLost" }), turn.withPermit)
})

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/**
 * Examines pictures in one process of its own, and signs them in another where a certificate is set. No secret is needed to decode
 * a picture: the process that does knows none.
 */
export const layerWith = (options: Options) =>
  Layer.effect(
    Pictures,
    Effect.gen(function* () {
      const { C2PA_CERT, C2PA_KEY } = yield* Settings.of(...settings)
      const decode = yield* worked<Order, Answer>("decoder", {}, options)
      const files = Option.all({ C2PA_CERT, C2PA_KEY })
      const sign = Option.isNone(files)
        ? undefined
        : yield* worked<SigningOrder, SigningAnswer>(
            "signer",
            { C2PA_CERT: resolve(files.value.C2PA_CERT), C2PA_KEY: resolve(files.value.C2PA_KEY) },
            options
          )

      /** A file that cannot be signed is kept with its mark alone. */
      const signed = Effect.fnUntraced(function* (picture: PictureFile, bytes: Uint8Array, mark: Mark) {
        // One that the provider has signed stays as it is.
        if (sign === undefined || picture.signed) return { bytes, unsigned: null }
        const answer = yield* sign({ bytes, contentType: picture.contentType, mark }).pipe(
          Effect.catchTag("ProcessLost", ({ detail }) => Effect.succeed({ problem: detail }))
        )
        return answer.problem === null ? { bytes: answer.bytes, unsigned: null } : { bytes, unsigned: answer.problem }
      })

      return Pictures.of({
        examine: Effect.fn("Pictures.examine")(function* (bytes: Uint8Array, expected: Expected) {
          const picture = yield* Effect.fromResult(check(bytes, expected))
          const answer = yield* decode({ bytes, pixels: MOST_PIXELS }).pipe(
            Effect.catchTag("ProcessLost", ({ detail }) => Effect.fail(new NoPicture({ reason: "breaks the decoder", detail })))
          )
          if (answer.flaw !== null) return yield* new NoPicture({ reason: answer.flaw, detail: answer.detail })
          const whole = yield* signed(picture, marked(picture, bytes, expected.mark), expected.mark)
          const thumbnail = yield* Effect.orDie(Effect.fromResult(readPicture(answer.thumbnail)))
          return {
            contentType: picture.contentType,
            extension: extensions[picture.contentType],
            width: picture.width,
            height: picture.height,
            ...whole,
            sha256: sha256(whole.bytes),
            thumbnail: marked(thumbnail, answer.thumbnail, expected.mark),
            thumbhash: answer.thumbhash,
            phash: answer.phash
          }
        })
      })
    })
  )

export const layer = layerWith({})
