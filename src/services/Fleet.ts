import { Context, Effect, Schema, type Scope, Stream } from "effect"
import * as PythonJson from "../wire/PythonJson.ts"

/** The broker could not carry it. Nothing that was to be said is kept: what workers say to each other is only of use now. */
export class FleetError extends Schema.TaggedError<FleetError>()("FleetError", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {}

/** Something said to all workers. Anybody can say it, so what it holds is still to be checked. */
export interface Heard {
  readonly about: "control" | "event"
  /** An event's `worker.heartbeat`; "" of a control message. */
  readonly routingKey: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly body: unknown
}

/** Where the answer to a control message goes, as its sender says. */
export interface ReplyAddress {
  readonly exchange: string
  readonly routingKey: string
  readonly ticket: string | null
}

export interface Question {
  readonly method: string
  readonly arguments: Readonly<Record<string, unknown>>
  /** Node names; null asks everybody. */
  readonly destination: ReadonlyArray<string> | null
  readonly clock: number
  /** How long to wait for the next answer (milliseconds). */
  readonly patience: number
}

export interface Answer {
  readonly headers: Readonly<Record<string, unknown>>
  /** The reply under the name of the node it is from, if it keeps the form. */
  readonly body: unknown
}

/** How a queue is known to kombu: by the exchange and routing key that lead to it. */
export interface Binding {
  readonly queue: string
  readonly exchange: string
  readonly routingKey: string
}

/**
 * As many revoked ids are remembered, and as long, as a stock worker does; as many stamps, and those as long as any message
 * lives.
 */
export const MAX_REVOKED = 50_000
export const REVOKED_FOR = 3 * 3_600_000
export const STAMP_REVOKED_FOR = 7 * 86_400_000

/** What a revoke order names: task ids, or stamps as `stamp` writes them. */
export type Revocable = "ids" | "stamps"
export const stamp = (header: string, value: string) => JSON.stringify([header, value])
/** A stamp's value as an order names it. Of an object that is none `String` would ask how, and it may throw. */
export const stampText = (value: unknown) =>
  typeof value === "object" && value !== null ? PythonJson.stringify(value) : String(value)

/**
 * Messages between workers beside the task queue: kombu's fan-out for control messages and events, and reply lists for the
 * answers.
 */
export interface Fleet {
  /** All messages from now on. After an outage of the broker the stream continues; messages sent meanwhile are lost. */
  readonly hear: Effect.Effect<Stream.Stream<Heard>, FleetError, Scope.Scope>
  /** Tells who listens to events. `body` is one event, or a list of them. */
  readonly publish: (routingKey: string, body: unknown) => Effect.Effect<void, FleetError>
  /** Answers a control message. `false` when its sender has no bound reply list any more; then nothing is written. */
  readonly reply: (to: ReplyAddress, body: unknown, clock: number) => Effect.Effect<boolean, FleetError>
  /**
   * Sends a question and collects answers until every worker that received it has answered, or until the question's patience is
   * over.
   */
  readonly ask: (question: Question) => Effect.Effect<ReadonlyArray<Answer>, FleetError>
  /** Makes this worker known to kombu's tools, and the queues it takes from. */
  readonly join: (queues: ReadonlyArray<Binding>) => Effect.Effect<void, FleetError>
  /** Takes back what `join` said of this worker; its queues stay known. */
  readonly leave: Effect.Effect<void, FleetError>
  /** Keeps what must not be run, for those that start later: until when, in Unix milliseconds. */
  readonly remember: (what: Revocable, revoked: ReadonlyMap<string, number>) => Effect.Effect<void, FleetError>
  readonly remembered: (what: Revocable) => Effect.Effect<ReadonlyMap<string, number>, FleetError>
}

/** A worker lives without it as well: the default is a worker that is alone in the world. */
export const Fleet = Context.Reference<Fleet>("model-generator/services/Fleet", {
  defaultValue: () => ({
    hear: Effect.succeed(Stream.never),
    publish: () => Effect.void,
    reply: () => Effect.succeed(false),
    ask: () => Effect.succeed([]),
    join: () => Effect.void,
    leave: Effect.void,
    remember: () => Effect.void,
    remembered: () => Effect.succeed(new Map())
  })
})
