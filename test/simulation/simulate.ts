import { Clients } from "./Clients.ts"
import { Cluster } from "./Cluster.ts"
import { act, NAMES } from "./happenings.ts"
import { check, type Verdict } from "./invariants.ts"

export interface Outcome extends Verdict {
  readonly seed: number
  readonly steps: number
  readonly events: ReadonlyMap<string, number>
  readonly tasks: number
  readonly trace: ReadonlyArray<string>
}

/** When all is well again, everything must have ended within this; with a budget some tasks wait for days of it (milliseconds). */
const RECOVERY = { usual: 15 * 60_000, onBudget: 60 * 60_000 }

/** One run: a time of trouble, a time of recovery in which all must come to its end, and a stop of all workers. */
export const simulate = (seed: number, traced = false): Outcome => {
  const cluster = new Cluster(seed, traced)
  const clients = new Clients(cluster)
  const { dice, time } = cluster
  cluster.start("a")
  if (dice.chance(0.6)) cluster.start("b")
  clients.send()
  clients.send()
  for (let left = dice.between(4, 10); left > 0; left--) {
    act(cluster, clients)
    time.pass(dice.pick([0, 1, 20, 300, 1000, 2000, 6000]))
    cluster.steps++
  }

  cluster.note("--- all is well again")
  cluster.heal()
  const end = time.now + (cluster.budget === null ? RECOVERY.usual : RECOVERY.onBudget)
  while (time.now < end && !cluster.isQuiet) {
    if (!cluster.processes.some((process) => process.running)) cluster.start(dice.pick(NAMES))
    time.pass(2000)
  }
  cluster.note("--- all workers stop")
  for (const process of cluster.processes) if (process.running) cluster.stop(process)
  time.pass(60_000)

  const { events, steps } = cluster
  return { seed, steps, events, tasks: clients.sent.length, ...check(cluster, clients), trace: cluster.trace ?? [] }
}
