import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { Cluster } from "./Cluster.ts"
import type { Process } from "./Process.ts"

/** A call that counts how often the world carried it out; its answer is that count. */
const call = (cluster: Cluster, process: Process, name: string) => {
  const seen = { times: 0, surelyNot: false }
  const fail = (_operation: string, arrived?: boolean) => {
    seen.surelyNot = arrived === false
    return "lost"
  }
  const fiber = cluster.fork(
    cluster.passage(process, "redis", fail)(
      name,
      Effect.sync(() => ++seen.times),
      []
    )
  )
  cluster.time.pass(30_000) // longer than any answer is waited for
  return { ...seen, exit: fiber.pollUnsafe() }
}

type Prepare = (cluster: Cluster, process: Process) => void

/** The same call in many weathers, of a worker or on a line that is as `prepare` leaves it. */
const calls = (prepare: Prepare) =>
  Array.from({ length: 40 }, (_, seed) => {
    const cluster = new Cluster(seed, false)
    const process = cluster.start("a")
    prepare(cluster, process)
    return call(cluster, process, "ask")
  })

const ambush =
  (does: Cluster["ambushes"][number]["does"]): Prepare =>
  ({ ambushes }) =>
    void ambushes.push({ call: "ask", does })

const ways: Readonly<Record<string, Prepare>> = {
  "in any weather": () => {},
  "with its request lost": ambush("request"),
  "with its answer lost": ambush("answer"),
  "by one that dies of it": ambush("death"),
  "by one that stands still first": ambush(5000),
  "by one that is killed where it stands": (cluster, process) => {
    cluster.freeze(process)
    cluster.kill(process)
  },
  "on a line that is refused": (cluster, process) => cluster.cut(process, "redis", "refused"),
  "on a silent line": (cluster, process) => cluster.cut(process, "redis", "silent")
}

describe("what a worker asks of the simulated world", () => {
  for (const [how, prepare] of Object.entries(ways))
    it(`is done once or not at all, and never other than it hears, ${how}`, () => {
      for (const { exit, surelyNot, times } of calls(prepare)) {
        assert.isAtMost(times, 1)
        if (exit !== undefined && Exit.isSuccess(exit)) assert.strictEqual(exit.value, 1)
        if (surelyNot) assert.strictEqual(times, 0)
      }
    })

  it("is in some weather heard, in some done and unheard, in some not done; and some never hear", { timeout: 60_000 }, () => {
    const all = Object.values(ways).flatMap(calls)
    const kinds = new Set(all.map(({ exit, times }) => `${times} ${exit === undefined ? "never" : exit._tag}`))
    assert.sameMembers([...kinds], ["1 Success", "1 Failure", "0 Failure", "0 never", "1 never"])
  })

  for (const [how, done] of [
    ["with its request lost", 0],
    ["with its answer lost", 1],
    ["on a line that is refused", 0]
  ] as const)
    it(`is done ${done} times ${how}, and whoever lives to hear of it hears that it failed`, () => {
      for (const { exit, times } of calls(ways[how]!)) {
        if (exit === undefined) continue // dead before it
        assert.deepStrictEqual([times, Exit.isFailure(exit)], [done, true])
      }
    })
})
