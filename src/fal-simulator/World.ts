import { Clock, Effect } from "effect"
import { endpoints } from "./knownEndpoints.ts"
import { Faults, type Route } from "./Fault.ts"
import type { Figure } from "./picture/Figure.ts"
import { type Execution, Queue } from "./Queue.ts"
import { type Change, defaults, type Settings } from "./SimulatorSettings.ts"

/** A picture that can be downloaded. It is drawn at its first download. */
export interface Media {
  readonly figure: Figure | "black"
  readonly width: number
  readonly height: number
  readonly format: "jpeg" | "png"
  readonly goneAt: number
  /** The answer to every download, when it is not to be had. */
  readonly lost: number | undefined
}

/** One execution, paid or not, for each accepted POST. The cost is a simulated one. */
export interface LedgerRow {
  readonly requestId: string
  readonly endpoint: string
  readonly seed: number
  readonly prompt: string
  readonly state: "IN_QUEUE" | "IN_PROGRESS" | "COMPLETED"
  /** "picture", "flagged", the type of an error, or null while it has not ended. */
  readonly outcome: string | null
  readonly units: number
  readonly simulatedCost: number
  readonly acceptedAt: number
  readonly startedAt: number | null
  readonly endedAt: number | null
}

/** Everything the simulator knows. */
export class World {
  readonly faults = new Faults()
  readonly media = new Map<string, Media>()
  readonly calls: Record<Route, number> = { submit: 0, status: 0, stream: 0, result: 0, cancel: 0, media: 0, platform: 0 }
  /** Status streams that are open. */
  streams = 0
  readonly queue = new Queue(() => this.settings)
  /** The one key that will do, and the one that may read what is charged; any where undefined. */
  readonly keys: { readonly key: string | undefined; readonly adminKey: string | undefined }
  /** Runs something for as long as the simulator is there. */
  readonly background: (effect: Effect.Effect<void>) => void
  settings: Settings
  private jumped = 0

  constructor(keys: World["keys"], change: Change, background: (effect: Effect.Effect<void>) => void) {
    this.keys = keys
    this.background = background
    this.settings = { ...defaults, ...change }
  }

  /** The clock's time, and what it was made to jump. */
  readonly now = Effect.map(Clock.currentTimeMillis, (millis) => millis + this.jumped)

  jump(millis: number): void {
    this.jumped += millis
  }

  configure(change: Change): void {
    this.settings = { ...this.settings, ...change }
  }
}

export const stateOf = ({ ending, startedAt }: Execution) =>
  ending !== null ? "COMPLETED" : startedAt !== null ? "IN_PROGRESS" : "IN_QUEUE"

const priceOf = (endpoint: string) => endpoints[endpoint]?.price ?? 0

export const ledgerRow = (execution: Execution): LedgerRow => {
  const units = execution.ending?.units ?? 0
  return {
    requestId: execution.requestId,
    endpoint: execution.endpoint,
    seed: execution.seed,
    prompt: String(execution.input["prompt"] ?? ""),
    state: stateOf(execution),
    outcome: execution.ending?.outcome ?? null,
    units,
    simulatedCost: units * priceOf(execution.endpoint),
    acceptedAt: execution.acceptedAt,
    startedAt: execution.startedAt,
    endedAt: execution.endedAt
  }
}

export const ledger = (world: World) => Effect.map(world.now, (now) => world.queue.list(now).map(ledgerRow))
