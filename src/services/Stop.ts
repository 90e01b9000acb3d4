import { Context, Deferred, Duration, Effect } from "effect"

/** How a stop is asked for, and the time it has. A first signal interrupts the program; this tells what follows it. */
export const Stop = Context.Reference<{
  /** Begins a stop, whoever asked for it: its time limit runs from here. A second call changes nothing. */
  readonly begin: Effect.Effect<void>
  /** Completed when the stop must not wait any longer: what is held goes back at once. */
  readonly hurry: Deferred.Deferred<void>
  /** Milliseconds until this process is ended wherever it stands; infinite while nothing has asked it to stop. */
  readonly left: () => number
  /** Runs `tell` whenever somebody asks the process what it is doing (SIGUSR1, SIGUSR2). Never ends. */
  readonly whenAsked: (tell: Effect.Effect<void>) => Effect.Effect<never>
}>("model-generator/services/Stop", {
  defaultValue: () => ({
    begin: Effect.void,
    hurry: Deferred.makeUnsafe(),
    left: () => Number.POSITIVE_INFINITY,
    whenAsked: () => Effect.never
  })
})

const HANDING_BACK = Duration.seconds(10)

/** The last part of a stop of `grace`: it belongs to handing back what has not ended by then. */
export const reserve = (grace: Duration.Duration) => Duration.min(HANDING_BACK, Duration.times(grace, 0.25))
/** How much of a stop of `grace` what runs may use to end by itself. */
export const patience = (grace: Duration.Duration) => Duration.subtract(grace, reserve(grace))
