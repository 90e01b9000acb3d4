/**
 * A second provider, for tests only: it shows that another one is a catalogue and a generator, and touches no program. It has
 * nothing of fal's: jobs in the place of requests, other keys, files in a list of their own, credits in the place of units.
 */
import { Clock, Context, Effect, Latch, Layer, Option, Schema } from "effect"
import { Catalogue, type PictureRequest, type Price, type ProviderRequest } from "../../src/services/Catalogue.ts"
import * as NanoDollars from "../../src/services/NanoDollars.ts"
import {
  AcceptedWithoutId,
  AccountProblem,
  Busy,
  Cancelled,
  Generator,
  GeneratorError,
  JobFailed,
  type Picture,
  Refused,
  type Ticket,
  Uncertain,
  Unknown,
  Unreachable,
  Unreadable
} from "../../src/services/Generator.ts"

/** What goes wrong with the next job, in the provider's own words. */
export type Mishap =
  | "connection lost"
  | "nameless"
  | "house full"
  | "come back in a minute"
  | "unpaid bill"
  | "line closed"
  | "blocked"
  | "gibberish"
  | "broken"
  | "indecent"
  | "never begun"
  | "deaf to stop"
  | "no bell"
  | "silent bell"
  | "false bell"

interface Job {
  readonly ref: string
  readonly line: string
  readonly text: string
  readonly random: number
  readonly madeAt: number
  readonly mishap: Mishap | undefined
  readonly stopped: Latch.Latch
  stoppedAt: number | undefined
}
/** How long a job takes (milliseconds). */
const WORK = 1000

/** The provider's side, as a test sees it. */
export class Studio extends Context.Service<
  Studio,
  {
    readonly mishap: (next: Mishap) => Effect.Effect<void>
    readonly jobs: Effect.Effect<ReadonlyArray<Job>>
    readonly listeners: Effect.Effect<number>
  }
>()("test/providers/Studio") {}

const each = NanoDollars.usd("0.05")
const price: Price = {
  unit: "picture",
  each,
  unitsOf: () => ({ likely: 1, most: 1 }),
  ofUnits: (units) => NanoDollars.times(each, units),
  source: "https://atelier.example/prices",
  readOn: "2026-11-25"
}

const catalogue = Catalogue.of({
  endpoints: { Generate: "line/portrait", Edit: "line/retouch" },
  inputOf: (request: PictureRequest) => ({
    text: request.prompt,
    random: request.seed,
    ...(request._tag === "Edit" ? { over: request.source } : { px: [request.size.width, request.size.height] })
  }),
  priceOf: () => Option.some(price),
  mayBeUnpriced: () => false
})

const Order = Schema.Struct({ text: Schema.String, random: Schema.Int })
const Files = Schema.Struct({
  files: Schema.NonEmptyArray(
    Schema.Struct({ href: Schema.String, px: Schema.Tuple([Schema.Int, Schema.Int]), mime: Schema.String, random: Schema.Int })
  ),
  blocked: Schema.Boolean,
  credits: Schema.Finite
})
const decodeFiles = Schema.decodeUnknownOption(Schema.fromJsonString(Files))

const fail = (reason: GeneratorError["reason"]) => Effect.fail(new GeneratorError({ reason }))
const account = (scope: "account" | "endpoint", endpoint: string) =>
  fail(new AccountProblem({ status: 402, detail: "no", scope, endpoint }))

const make = Effect.sync(() => {
  const jobs: Array<Job> = []
  let next: Mishap | undefined
  let listening = 0
  const taken = () => {
    const mishap = next
    next = undefined
    return mishap
  }
  const isBell = (mishap: Mishap | undefined) => mishap?.endsWith(" bell") === true
  const phaseOf = ({ madeAt, mishap, stoppedAt }: Job, now: number) =>
    stoppedAt !== undefined
      ? "stopped"
      : mishap === "never begun"
        ? "waiting"
        : now < madeAt + WORK
          ? "working"
          : mishap === "broken"
            ? "broken"
            : mishap === "indecent"
              ? "indecent"
              : "done"
  const isOver = (job: Job, now: number) => !["waiting", "working"].includes(phaseOf(job, now))
  const find = ({ requestId }: Ticket) => {
    const job = jobs.find(({ ref }) => ref === requestId)
    return job === undefined ? fail(new Unknown({ detail: "no such job" })) : Effect.succeed(job)
  }
  /** The text of an answer. */
  const filesOf = ({ mishap, random, ref }: Job) =>
    mishap === "gibberish"
      ? JSON.stringify({ note: "see letter" })
      : JSON.stringify({
          files: [{ href: `https://atelier.example/${ref}.jpg`, px: [768, 1024], mime: "image/jpeg", random }],
          blocked: mishap === "blocked",
          credits: 1
        })
  const picture = (text: string): Effect.Effect<Picture, GeneratorError> =>
    Option.match(decodeFiles(text), {
      onNone: () => fail(new Unreadable({ detail: "an object with note", billableUnits: 1 })),
      onSome: ({ blocked, credits, files: [file] }) =>
        Effect.succeed({
          url: file.href,
          width: file.px[0],
          height: file.px[1],
          contentType: file.mime,
          seed: file.random,
          flagged: blocked,
          billableUnits: credits
        })
    })

  const generator = Generator.of({
    submit: Effect.fnUntraced(function* ({ endpoint, input }: ProviderRequest) {
      const mishap = isBell(next) ? undefined : taken()
      if (mishap === "house full") return yield* fail(new Busy({ detail: mishap }))
      if (mishap === "come back in a minute") return yield* fail(new Busy({ detail: mishap, retryAfter: 60 }))
      if (mishap === "unpaid bill") return yield* account("account", endpoint)
      if (mishap === "line closed") return yield* account("endpoint", endpoint)
      const order = yield* Effect.orDie(Schema.decodeUnknownEffect(Order)(input))
      const madeAt = yield* Clock.currentTimeMillis
      const ref = `job-${jobs.length + 1}`
      jobs.push({ ...order, ref, line: endpoint, madeAt, mishap, stopped: Latch.makeUnsafe(), stoppedAt: undefined })
      if (mishap === "connection lost") return yield* fail(new Uncertain({ detail: mishap }))
      if (mishap === "nameless") return yield* fail(new AcceptedWithoutId({ detail: mishap }))
      return { endpoint, requestId: ref }
    }),
    progress: Effect.fnUntraced(function* (ticket) {
      const job = yield* find(ticket)
      switch (phaseOf(job, yield* Clock.currentTimeMillis)) {
        case "waiting":
          return { _tag: "Queued", position: 0 } as const
        case "working":
          return { _tag: "Running" } as const
        default:
          return { _tag: "Ended", inferenceSeconds: null } as const
      }
    }),
    awaitEnd: Effect.fnUntraced(function* ({ requestId }) {
      const bell = isBell(next) ? taken() : undefined
      const job = jobs.find(({ ref }) => ref === requestId)
      if (job === undefined || bell === "no bell") return Option.none()
      if (bell === "false bell") return Option.some({ inferenceSeconds: null })
      listening++
      const left = job.madeAt + WORK - (yield* Clock.currentTimeMillis)
      const end = bell === "silent bell" ? Effect.never : Effect.race(Effect.sleep(Math.max(0, left)), job.stopped.await)
      yield* Effect.ensuring(
        end,
        Effect.sync(() => listening--)
      )
      return Option.some({ inferenceSeconds: null })
    }),
    result: Effect.fnUntraced(function* (ticket) {
      const job = yield* find(ticket)
      switch (phaseOf(job, yield* Clock.currentTimeMillis)) {
        case "waiting":
        case "working":
          return yield* fail(new Unreachable({ detail: "not yet" }))
        case "stopped":
          return yield* fail(new Cancelled({ detail: "stopped" }))
        case "broken":
          return yield* fail(new JobFailed({ status: 500, type: "broken", detail: "broken" }))
        case "indecent":
          return yield* fail(new Refused({ status: 422, detail: "indecent", billableUnits: 0 }))
        default:
          return yield* picture(filesOf(job))
      }
    }),
    cancel: Effect.fnUntraced(function* ({ requestId }) {
      const now = yield* Clock.currentTimeMillis
      const job = jobs.find(({ ref }) => ref === requestId)
      if (job === undefined) return "unknown"
      if (isOver(job, now)) return "ended"
      if (job.mishap === "deaf to stop") return "asked"
      job.stoppedAt = now
      job.stopped.openUnsafe()
      return "asked"
    }),
    probe: Effect.void
  })
  const studio = Studio.of({
    mishap: (mishap) => Effect.sync(() => void (next = mishap)),
    jobs: Effect.sync(() => [...jobs]),
    listeners: Effect.sync(() => listening)
  })
  return Context.make(Generator, generator).pipe(Context.add(Catalogue, catalogue), Context.add(Studio, studio))
})

export const layer = Layer.effectContext(make)
