import { Context, type Effect, Schema } from "effect"

/** Redis did not say whether an endpoint is closed. The same call may work later. */
export class EndpointsError extends Schema.TaggedError<EndpointsError>()("EndpointsError", {
  operation: Schema.String,
  cause: Schema.Defect()
}) {}

/** `refused`: fal answered that a person has to act. `busy`: fal named a time to come again. */
export const Reason = Schema.Literals(["refused", "busy"])
export type Reason = typeof Reason.Type

/** An endpoint of fal that nothing is submitted to for now. */
export interface Closed {
  readonly endpoint: string
  readonly reason: Reason
  /** fal's answer, in words. */
  readonly why: string
  /** Until it is tried again (seconds). */
  readonly seconds: number
}

export type Admission =
  | { readonly _tag: "Open" }
  /** Its time is over, and the caller is the one who tries: it says afterwards how that went. */
  | { readonly _tag: "Trial" }
  | ({ readonly _tag: "Closed" } & Closed)

/** The circuit that opens when fal takes no submits, whatever the endpoint: all share one account. */
export const CIRCUIT = "fal"
/** How long a refusal closes an endpoint at first and at most (seconds): twice as long each time a trial is refused too. */
export const FIRST = 15
export const LONGEST = 300
/** A trial without a reported outcome ends after this time, and the next caller makes another (seconds). */
export const TRIAL = 15
/** A closure that ended this long ago says nothing about the next one (seconds). */
export const FORGET = 900
/** The longest text of fal's that is kept as the reason of a closure (characters). */
export const LONGEST_WHY = 300

/**
 * Which endpoints of fal are closed, known to all workers of a fleet: what one of them was answered, the others need not ask.
 * Of a closed endpoint one caller at a time tries whether it is open again.
 */
export class Endpoints extends Context.Service<
  Endpoints,
  {
    /**
     * Nothing is known against a submit to it: it is not closed, and the last submit of the fleet whose outcome says anything of
     * fal's state did not fail. `false` says no more than that `admit` and the circuit must be asked.
     */
    readonly isClear: (endpoint: string) => Effect.Effect<boolean, EndpointsError>
    /** May something be submitted to it now? */
    readonly admit: (endpoint: string) => Effect.Effect<Admission, EndpointsError>
    /** fal refused a request to it. While it is closed already nothing changes: that request was sent before. */
    readonly refused: (endpoint: string, why: string) => Effect.Effect<Closed, EndpointsError>
    /** fal sent Retry-After: closes the endpoint for `seconds`, at most `LONGEST`. A closure that ends later stays. */
    readonly busy: (endpoint: string, why: string, seconds: number) => Effect.Effect<Closed, EndpointsError>
    /** The trial was not made after all: the next caller may make it. */
    readonly untried: (endpoint: string) => Effect.Effect<void, EndpointsError>
    /** The endpoint takes requests again: removes its closure. */
    readonly opened: (endpoint: string) => Effect.Effect<void, EndpointsError>
    /** The closed endpoints, with those that are being tried. */
    readonly closed: Effect.Effect<ReadonlyArray<Closed>, EndpointsError>
  }
>()("model-generator/services/Endpoints") {}
