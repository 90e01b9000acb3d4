import { Effect } from "effect"
import { DeadLetters } from "../src/services/DeadLetters.ts"
import { Lease } from "../src/services/Lease.ts"
import { Publisher } from "../src/services/Publisher.ts"
import { QueueInspector } from "../src/services/QueueInspector.ts"
import { TaskQueue } from "../src/services/TaskQueue.ts"

/** The roles of the task queue, which one layer provides. */
export type Role = TaskQueue | Publisher | Lease | DeadLetters | QueueInspector

/** All of them at once, for a test that plays a worker, its clients and its operator. */
export const everyRole = Effect.gen(function* () {
  return {
    ...(yield* TaskQueue),
    ...(yield* Publisher),
    ...(yield* Lease),
    ...(yield* QueueInspector),
    deadLetters: yield* DeadLetters
  }
})
export type EveryRole = Effect.Success<typeof everyRole>
