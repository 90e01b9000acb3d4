import { Effect, Option } from "effect"
import type { Generation, Journal } from "../../src/services/Journal.ts"

const without = <G extends Generation>(generation: G): G => {
  const { caller: _, digest: __, note: ___, price: ____, ...rest } = generation
  return rest as Generation as G // those are optional in each
}

/** The journal as a worker of before there were digests, notes and prices reads and writes it. */
export const older = (journal: Journal["Service"]): Journal["Service"] => ({
  ...journal,
  find: (taskId) =>
    Effect.map(journal.find(taskId), ({ entry, now }) => ({
      entry: Option.map(entry, (one) => (one._tag === "Unreadable" ? one : without(one))),
      now
    })),
  intend: (taskId, intent, repeats) => journal.intend(taskId, without(intent), Option.map(repeats, without)),
  advance: (taskId, next) => journal.advance(taskId, without(next)),
  withdraw: (taskId, generation, before) => journal.withdraw(taskId, without(generation), Option.map(before, without))
})
