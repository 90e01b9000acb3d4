import { Deferred, Effect, Option, Schema } from "effect"
import { ResidentMemory } from "../../services/ResidentMemory.ts"
import * as Settings from "../../services/Settings.ts"

/** The process has grown over its limit and must be replaced. */
export class MemoryExceeded extends Schema.TaggedError<MemoryExceeded>()("MemoryExceeded", {
  used: Schema.Finite,
  limit: Schema.Finite
}) {
  override get message() {
    return `ended after exceeding its memory limit (${this.used}KiB / ${this.limit}KiB), to be started again`
  }
}

/**
 * Ends the process in order when it uses more memory than WORKER_MAX_MEMORY_PER_CHILD, for its supervisor to start it again.
 * Celery replaces one child process; our children are fibers of one process, and ending one frees nothing that has leaked.
 */
export const makeMemoryLimit = Effect.gen(function* () {
  const { WORKER_MAX_MEMORY_PER_CHILD: limit } = yield* Settings.of("WORKER_MAX_MEMORY_PER_CHILD")
  const memory = yield* ResidentMemory
  const exceeded = yield* Deferred.make<never, MemoryExceeded>()
  let judged = false
  let tooTight = false

  /** Asked at the end of each task: whether no other may follow it. */
  const judge = (limit: number) =>
    Effect.gen(function* () {
      if (tooTight) return false
      const used = yield* memory
      const first = !judged
      judged = true
      if (used <= limit) return false
      if (first) {
        // The next process would be there at its first task too, and the one after it.
        tooTight = true
        yield* Effect.logWarning("WORKER_MAX_MEMORY_PER_CHILD is less than the worker needs at rest: the limit is ignored", {
          usedKiB: used,
          limitKiB: limit
        })
        return false
      }
      yield* Deferred.fail(exceeded, new MemoryExceeded({ used, limit }))
      return true
    })
  return { exceeded, passed: Option.match(limit, { onNone: () => Effect.succeed(false), onSome: judge }) }
})
