import { ConfigProvider, Effect, Layer } from "effect"
import * as NewMessage from "../src/programs/celery/NewMessage.ts"
import { WorkerIdentity } from "../src/services/WorkerIdentity.ts"

/** Settings for a test, by their environment names. */
export const settings = (env: Readonly<Record<string, string>>) =>
  ConfigProvider.layer(
    ConfigProvider.fromUnknown({
      CELERY_BROKER_URL: "redis://localhost/0",
      CELERY_RESULT_BACKEND: "redis://localhost/1",
      DATABASE_URL: "postgresql://nobody@localhost/nothing",
      FAL_KEY: "test:key",
      ...env
    })
  )

let boots = 0
/** A worker's identity; each call is another life. */
export const identity = (name = "celery@test", overrides: Partial<WorkerIdentity["Service"]> = {}) =>
  Layer.sync(WorkerIdentity, () => ({
    name,
    boot: `boot-${process.pid}-${++boots}`,
    host: "test",
    machine: "machine",
    pid: process.pid,
    startedAt: 0,
    ...overrides
  }))

let ids = 0
export const uniqueId = (prefix = "task") => `${prefix}-${process.pid}-${++ids}`

/** A message as a Celery client would put it on the queue. */
export const message = (task: Partial<NewMessage.NewTask> = {}) => {
  const id = task.id ?? uniqueId()
  return NewMessage.encode(
    { id, task: "health_check", args: [], kwargs: {}, queue: "generator_queue", tag: `tag-of-${id}`, replyTo: "reply", ...task },
    "gen1@test"
  )
}

/** Asks again until it is so; fails with the last answer after so many seconds. */
export const eventually = <A, E, R>(what: string, ask: Effect.Effect<A, E, R>, good: (answer: A) => boolean, seconds = 10) =>
  Effect.gen(function* () {
    for (let left = seconds * 50; ; left--) {
      const answer = yield* ask
      if (good(answer)) return answer
      if (left === 0) return yield* Effect.die(new Error(`${what}: still ${JSON.stringify(answer)}`))
      yield* Effect.sleep("20 millis")
    }
  })

/**
 * The options of a test that asserts how long something takes on the wall clock. What is promised is promised of the worker on a
 * machine that has time for it, so a test that a busy moment of the machine fails is tried twice more. A worker that is too slow fails
 * all three.
 */
export const timed = (timeout = 20_000) => ({ timeout, retry: 2 })
