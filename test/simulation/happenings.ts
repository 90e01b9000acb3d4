import type { Clients } from "./Clients.ts"
import type { Cluster } from "./Cluster.ts"
import type { Link, Process } from "./Process.ts"

export const NAMES = ["a", "b", "c"]
const LINKS: ReadonlyArray<Link> = ["redis", "postgres", "fal"]
/** Something that happens to the whole, chosen by the dice. */
export const act = (cluster: Cluster, clients: Clients) => {
  const { dice, script } = cluster
  const running = cluster.processes.filter((process) => process.running)
  const anyOf = (doing: (process: Process) => void) => running.length > 0 && doing(dice.pick(running))
  const what = dice.weighted({
    send: 5,
    start: running.length === 0 ? 8 : running.length < 3 ? 1.5 : 0,
    namesake: running.length > 0 && running.length < 3 ? 0.35 : 0,
    kill: 1.4,
    stop: 0.6,
    hurry: 0.4,
    cut: 1.2,
    mend: 2,
    freeze: 0.8,
    robbery: running.length > 1 ? 0.5 : 0,
    unlucky: running.length > 0 ? 0.2 : 0,
    late: running.length > 0 ? 0.3 : 0,
    outlived: 0.4,
    thaw: 0.6,
    jobs: 1.5,
    submits: 0.8,
    revoke: cluster.talks ? 1 : 0,
    failover: 0.4,
    forgetting: running.length > 0 ? 0.5 : 0,
    eviction: 0.4,
    stall: 0.4,
    unbooked: running.length > 0 ? 0.4 : 0,
    overdue: running.length > 0 ? 0.4 : 0,
    stock: 0.4,
    clock: 0.4
  })
  switch (what) {
    case "send":
      return clients.send()
    case "start": {
      const free = NAMES.filter((name) => !running.some((process) => process.name === `celery@${name}`))
      if (free.length > 0) cluster.start(dice.pick(free))
      return
    }
    case "namesake":
      return void cluster.start(dice.pick(running).name.replace("celery@", ""))
    case "kill":
      return anyOf((process) => cluster.kill(process))
    case "stop":
      if (dice.chance(0.3)) {
        // While something runs that takes longer than a stop may.
        cluster.run(script.jobs({ ends: "picture", after: 30_000 }))
        clients.send("picture")
        cluster.time.pass(3000)
      }
      return anyOf((process) => cluster.stop(process))
    case "hurry":
      return anyOf((process) => {
        cluster.stop(process)
        cluster.hurry(process)
      })
    case "cut":
      return anyOf((process) => cluster.cut(process, dice.pick(LINKS), dice.pick(["refused", "silent"])))
    case "mend":
      return anyOf((process) => cluster.mend(process))
    case "freeze":
      return anyOf((process) => cluster.freeze(process))
    case "thaw":
      return anyOf((process) => cluster.thaw(process))
    case "robbery": {
      // Whoever takes this picture stands still for longer than its lease, and goes on while another has it in hand.
      cluster.run(script.jobs({ ends: "picture", after: 52_000 }))
      const call = dice.pick(["intend", "late intend", "late intend", "late intend", "advance", "progress", "awaitEnd"])
      // Or for almost as long, and dies of its submit.
      if (call === "late intend") cluster.ambushes.push({ call: "intend", does: 28_000 }, { call: "submit", does: "death" })
      else cluster.ambushes.push({ call, does: 46_000 })
      clients.send("picture")
      return cluster.time.pass(47_000)
    }
    case "unlucky": {
      // A submit is lost, and the request that is made for it in the end fails.
      cluster.run(script.jobs({ ends: "picture", after: 1000 }, { ends: "failed", after: 1000, type: "simulated" }))
      cluster.ambushes.push({ call: "submit", does: "answer" })
      clients.send("picture")
      return cluster.time.pass(66_000)
    }
    case "late": {
      // Its end comes past the soft limit, in whatever weather there is, with time left to bring the picture in.
      cluster.run(script.jobs({ ends: "picture", after: 65_000 }))
      clients.send("picture")
      const [call, does] = dice.pick([
        ["cancel", 2000],
        ["cancel", 25_000],
        ["cancel", "request"],
        ["cancel", "answer"],
        ["result", "request"]
      ] as const)
      cluster.ambushes.push({ call, does })
      return cluster.time.pass(67_000)
    }
    case "outlived": {
      // A task expires while its picture is made or waits for what it needs next.
      cluster.run(script.jobs({ ends: "picture", after: 12_000 }))
      clients.send("outlived")
      const [call, does] = dice.pick([
        ["progress", "death"],
        ["awaitEnd", "death"],
        ["advance", "death"],
        ["save", "request"],
        ["save", "death"]
      ] as const)
      cluster.ambushes.push({ call, does })
      return cluster.time.pass(dice.pick([9000, 14_000]))
    }
    case "jobs": {
      // The last is past the soft limit and well within what is left after it.
      const after = dice.pick([200, 1000, 3000, 8000, 30_000, 65_000])
      const ends = dice.weighted({ picture: 6, flagged: 1, refused: 1, failed: 3, never: 0.3 })
      cluster.note(`fal: the next job ends ${ends} after ${after} ms`)
      return cluster.run(
        script.jobs(
          ends === "never"
            ? { ends }
            : ends === "refused" || ends === "failed"
              ? { ends, after, type: "simulated" }
              : { ends, after }
        )
      )
    }
    case "submits": {
      const next = dice.pick(["busy", "busy", "locked", { refused: "simulated" }] as const)
      cluster.note(`fal: the next submit meets ${JSON.stringify(next)}`)
      return cluster.run(script.submits(next))
    }
    case "failover":
      return cluster.failover(Math.max(cluster.redis.earliest(dice.between(0, 2000)), cluster.redis.writes - dice.between(0, 12)))
    case "forgetting": {
      // Right after a write that is the only knowledge of something, and it may be the last of who made it.
      const call = dice.pick(["advance", "advance", "advance", "intend", "store", "publishOnce", "claim", "acknowledge", "retry"])
      cluster.ambushes.push({ call, does: dice.pick(["forgotten", "forgotten death"]) })
      clients.send("picture")
      return cluster.time.pass(5000)
    }
    case "eviction": {
      if (dice.chance(0.4)) return cluster.evict()
      // While nothing but a message that waits for the database knows of a picture.
      for (const process of running) cluster.cut(process, "postgres", "refused")
      clients.send("picture")
      cluster.time.pass(6000)
      cluster.evict()
      for (const process of running) cluster.mend(process)
      return
    }
    case "stall":
      return cluster.stall(dice.pick([500, 3000, 10_000, 40_000]), dice.pick(["refused", "silent"]))
    case "unbooked": {
      // A picture that nobody gets is paid, and its row in the ledger does not go well.
      cluster.run(script.jobs({ ends: "flagged", after: 1000 }))
      cluster.ambushes.push({ call: "record", does: dice.pick(["request", "request", "answer", "death"]) })
      // Or the database is away for so long that a debt is taken up before it is back.
      const isAway = dice.chance(0.3)
      if (isAway) for (const process of running) cluster.cut(process, "postgres", "refused")
      clients.send("picture")
      cluster.time.pass(isAway ? 170_000 : 4000)
      for (const process of isAway ? running : []) if (process.running) cluster.mend(process)
      return
    }
    case "overdue": {
      // A picture comes after the hard limit, though fal was asked to cancel it, and its worker may die as it tells the end.
      cluster.run(script.jobs({ ends: "picture", after: 96_000 }))
      cluster.ambushes.push({ call: "cancel", does: "request" })
      clients.send("picture")
      cluster.time.pass(88_000)
      if (dice.chance(0.7)) cluster.ambushes.push({ call: dice.pick(["acknowledge", "owe"]), does: "death" })
      return cluster.time.pass(10_000)
    }
    case "stock":
      return clients.sendToStock()
    case "clock": {
      const by = dice.pick([-1, 1]) * dice.pick([1000, 5000, 30_000, 90_000])
      if (dice.chance(0.3)) return cluster.setClock("all", by)
      return dice.chance(0.3) ? cluster.setClock("Redis", by) : anyOf((process) => cluster.setClock(process, by))
    }
    case "revoke":
      return clients.revoke(dice.chance(0.5))
  }
}
