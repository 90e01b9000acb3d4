import { Cause, Clock, Deferred, Duration, Effect, Exit, Fiber, Queue, Schema } from "effect"
import { Metrics } from "../../services/Metrics.ts"
import type { Node } from "./Tree.ts"
import { within } from "./within.ts"

/** A supervisor's children crashed more often than it allows; it has stopped them all and gives up. */
export class RestartsExhausted extends Schema.TaggedError<RestartsExhausted>()("RestartsExhausted", {
  supervisor: Schema.String,
  child: Schema.String,
  last: Schema.String
}) {
  override get message() {
    return `${this.supervisor} gives up: ${this.child} crashed too often, the last time with ${this.last}`
  }
}

/** What an actor can tell its supervisor while it runs. */
export interface Self {
  /** Shown in the tree. */
  readonly doing: (what: string) => Effect.Effect<void>
  /** This life is the actor's last: when it ends well the supervisor removes it. */
  readonly leave: Effect.Effect<void>
}

/** Something a supervisor runs: an actor, or another supervisor. */
export interface Child<R> {
  readonly node: Node
  /** How long a stop waits for it; then it is left behind. */
  readonly stopWithin: Duration.Input
  /** Whether the actor has said that it will not come back. */
  readonly leaving: () => boolean
  readonly run: Effect.Effect<unknown, unknown, R>
}

type NeedsOf<C> = C extends Child<infer R> ? R : never

/**
 * An actor: one fiber that reads its mailbox, if it has one. The mailbox outlives a restart, so a crash loses only the message
 * that was being handled. A clean end is not a crash: the actor is started again at once, and that is not counted.
 */
export const actor = <E, R>(
  name: string,
  options: {
    readonly stopWithin?: Duration.Input
    readonly mailbox?: Queue.Dequeue<unknown>
  },
  run: (self: Self) => Effect.Effect<unknown, E, R>
): Child<R> => {
  const { mailbox } = options
  const node: Node = {
    name,
    kind: "actor",
    state: "starting",
    restarts: 0,
    doing: "",
    children: [],
    waiting: () => (mailbox === undefined ? null : Queue.sizeUnsafe(mailbox))
  }
  let leaving = false
  const self: Self = {
    doing: (what) =>
      Effect.sync(() => {
        node.doing = what
      }),
    leave: Effect.sync(() => {
      leaving = true
    })
  }
  return {
    node,
    leaving: () => leaving,
    stopWithin: options.stopWithin ?? "5 seconds",
    run: Effect.suspend(() => run(self))
  }
}

const PAUSE_AFTER_CRASH = Duration.millis(100)

/**
 * Starts its children in order, restarts each that ends, alone (OTP's one_for_one), and stops them in the opposite order. More
 * than `intensity` crashes within `period` end it with `RestartsExhausted`.
 */
export const supervisor = <const Children extends ReadonlyArray<Child<unknown>>, Joins = never>(
  name: string,
  options: {
    readonly intensity: number
    readonly period: Duration.Input
    readonly stopWithin?: Duration.Input
    /** Asks all children to stop at once, instead of one after the other. */
    readonly together?: boolean
    /** Children that come later, to be started at once and kept like the others. */
    readonly joining?: Queue.Dequeue<Child<Joins>>
  },
  first: Children
): Child<NeedsOf<Children[number]> | Joins | Metrics> => {
  type Any = Child<NeedsOf<Children[number]> | Joins>
  // Each child is of one of the types this is the union of.
  const children = [...first] as Array<Any>
  const node: Node = {
    name,
    kind: "supervisor",
    state: "starting",
    restarts: 0,
    doing: "",
    children: children.map((child) => child.node),
    waiting: () => null
  }
  const period = Duration.toMillis(Duration.fromInputUnsafe(options.period))

  const run = Effect.gen(function* () {
    const metrics = yield* Metrics
    node.state = "running"
    const gaveUp = yield* Deferred.make<never, RestartsExhausted>()
    let crashes: ReadonlyArray<number> = []

    const started: Array<{ readonly child: Any; readonly fiber: Fiber.Fiber<void> }> = []
    const keepAlive = Effect.fnUntraced(function* (child: Any) {
      while (true) {
        child.node.state = "running"
        const exit = yield* Effect.exit(child.run)
        child.node.doing = ""
        if (Exit.isSuccess(exit)) {
          if (child.leaving()) {
            children.splice(children.indexOf(child), 1)
            node.children.splice(node.children.indexOf(child.node), 1)
            started.splice(
              started.findIndex((one) => one.child === child),
              1
            )
            return
          }
          yield* Effect.yieldNow
          continue
        }
        const now = yield* Clock.currentTimeMillis
        crashes = [...crashes, now].filter((at) => at > now - period)
        child.node.restarts++
        child.node.state = "restarting"
        yield* Effect.logError(`${child.node.name} crashed`, exit.cause)
        yield* metrics.count("actor_restarts_total", { actor: child.node.name.replace(/-\d+$/, "") })
        if (crashes.length > options.intensity) {
          const last = Cause.prettyErrors(exit.cause)[0]?.message ?? "no reason"
          yield* Deferred.fail(gaveUp, new RestartsExhausted({ supervisor: name, child: child.node.name, last }))
          return
        }
        yield* Effect.sleep(PAUSE_AFTER_CRASH)
      }
    })

    const start = Effect.fnUntraced(function* (child: Any) {
      started.push({ child, fiber: yield* Effect.forkDetach(keepAlive(child)) })
    }, Effect.uninterruptible)
    const { joining } = options
    const welcome =
      joining === undefined
        ? Effect.never
        : Queue.take(joining).pipe(
            Effect.flatMap((child) => {
              children.push(child)
              node.children.push(child.node)
              return start(child)
            }),
            Effect.forever
          )
    const stopAll = Effect.gen(function* () {
      if (options.together === true) for (const { fiber } of started) fiber.interruptUnsafe()
      for (const { child, fiber } of started.toReversed()) {
        child.node.state = "stopping"
        fiber.interruptUnsafe()
        // Left behind when it is not done by then: a child that cannot be stopped must not stop the others from stopping.
        yield* within(Fiber.await(fiber), child.stopWithin)
        child.node.state = "stopped"
      }
    })
    return yield* Effect.gen(function* () {
      for (const child of children) yield* start(child)
      return yield* Effect.raceFirst(Deferred.await(gaveUp), welcome)
    }).pipe(Effect.onExit(() => stopAll))
  })
  const budget = children.reduce((sum, child) => sum + Duration.toMillis(Duration.fromInputUnsafe(child.stopWithin)), 1000)
  return { node, stopWithin: options.stopWithin ?? budget, leaving: () => false, run }
}
