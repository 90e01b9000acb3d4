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
 * Celery replaces a child process that has grown too large. Our children are fibers of one process, and the end of one frees
 * nothing of what has leaked: so the process ends, in order, and whoever started it starts the next.
 */
export const makeMemoryLimit = Effect.gen(function* () {
  const { WORKER_MAX_MEMORY_PER_CHILD: limit } = yield* Settings.of("WORKER_MAX_MEMORY_PER_CHILD")
  const memory = yield* ResidentMemory
  const exceeded = yield* Deferred.make<never, MemoryExceeded>()
  let judged = false
  let tooTight = false

  /** Asked at the end of each task: whether no other may follow it. */
  const passed = Effect.gen(function* () {
    if (Option.isNone(limit) || tooTight) return false
    const used = yield* memory
    const first = !judged
    judged = true
    if (used <= limit.value) return false
    if (first) {
      // The next process would be there at its first task too, and the one after it.
      tooTight = true
      yield* Effect.logWarning("WORKER_MAX_MEMORY_PER_CHILD is less than this program needs: it is not kept to", {
        usedKiB: used,
        limitKiB: limit.value
      })
      return false
    }
    yield* Deferred.fail(exceeded, new MemoryExceeded({ used, limit: limit.value }))
    return true
  })
  return { exceeded, passed }
})
