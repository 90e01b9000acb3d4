import { Clock, Effect, Option } from "effect"
import type { LedgerRow } from "../../src/layers/fal/Execution.ts"
import { Busy, GeneratorError, type Picture, type Ticket, Unknown } from "../../src/services/Generator.ts"
import type { Dice } from "./Dice.ts"
import type { Passage } from "./passage.ts"
import type { VirtualTime } from "./VirtualTime.ts"

/** A request that is older than this no longer takes up the account (milliseconds). */
const FORGOTTEN = 120_000

/** How a status stream goes: it tells of the end when it has come, never says anything, is over early, or says so too early. */
const STREAMS = ["honest", "silent", "over", "lying"] as const

/**
 * fal's own ways, which no network has a part in: an account of few requests at once, requests it is slow to know of, and status
 * streams that are not to be relied on.
 */
export class Fal {
  readonly limit: number
  readonly #streams: ReadonlyArray<(typeof STREAMS)[number]>
  readonly #slowToKnow: number
  readonly #unknownUntil = new Map<string, number>()
  readonly #dice: Dice
  readonly #time: VirtualTime
  readonly #clock: Clock.Clock
  readonly #ledger: Effect.Effect<ReadonlyArray<LedgerRow>>

  constructor(dice: Dice, time: VirtualTime, ledger: Effect.Effect<ReadonlyArray<LedgerRow>>) {
    this.limit = dice.pick([1, 2, Infinity, Infinity, Infinity, Infinity])
    this.#slowToKnow = dice.pick([0, 0, 0, 0.5])
    this.#streams = dice.pick([...STREAMS.map((one) => [one]), STREAMS])
    this.#dice = dice
    this.#time = time
    this.#ledger = ledger
    this.#clock = time.clock(() => true)
  }

  get text() {
    return `fal: ${this.limit} requests at once, unknown at first: ${this.#slowToKnow * 1000} of 1000, streams: ${this.#streams.join(" or ")}`
  }

  /** fal's clock is right. */
  readonly passage: Passage = (name, call, args) =>
    Effect.provideService(this.#answer(name, call, args), Clock.Clock, this.#clock)

  readonly #answer: Passage = (name, call, args) => {
    // The errors and answers below are the generator's, which a passage for all services cannot say.
    const fail = (reason: GeneratorError["reason"]) => Effect.fail(new GeneratorError({ reason }) as never)
    switch (name) {
      case "submit":
        return Effect.flatMap(this.#ledger, (rows) => {
          const running = rows.filter((row) => row.outcome === "running" && row.acceptedAt > this.#time.now - FORGOTTEN)
          if (running.length >= this.limit) return fail(new Busy({ detail: "Concurrent requests limit reached" }))
          return Effect.tap(call, (ticket) => Effect.sync(() => this.#accepted(ticket as unknown as Ticket)))
        })
      case "awaitEnd":
        return Effect.suspend(() => this.#stream(call))
      case "progress":
      case "result":
      case "cancel":
        return Effect.suspend(() => {
          const { requestId } = args[0] as Ticket
          if ((this.#unknownUntil.get(requestId) ?? 0) > this.#time.now)
            return name === "cancel" ? Effect.succeed("unknown" as never) : fail(new Unknown({ detail: "Request not found" }))
          return name === "result" ? Effect.map(call, (picture) => byHttps(picture as unknown as Picture) as never) : call
        })
      default:
        return call
    }
  }

  #stream<A, E>(honest: Effect.Effect<A, E>): Effect.Effect<A, E> {
    switch (this.#dice.pick(this.#streams)) {
      case "honest":
        return honest
      case "silent":
        return Effect.never
      case "over":
        return Effect.delay(Effect.succeedNone as never, this.#dice.between(0, 3000)) // what `awaitEnd` gives
      case "lying":
        return Effect.delay(Effect.succeed(Option.some({ inferenceSeconds: 0.1 }) as never), this.#dice.between(0, 3000)) // as above
    }
  }

  #accepted({ requestId }: Ticket) {
    if (this.#dice.chance(this.#slowToKnow)) this.#unknownUntil.set(requestId, this.#time.now + this.#dice.between(100, 4000))
  }
}

/** As a picture of fal's is found. */
const byHttps = ({ url, ...rest }: Picture): Picture => ({ ...rest, url: url.replace("memory://", "https://fal.example/") })
