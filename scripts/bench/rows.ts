/** What is measured, each on a worker of its own that has just started. */
import type { ChildProcess } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import { freePort } from "../../test/servers/Process.ts"
import type { Contender, Kind } from "./contenders.ts"
import { end, family, processorSeconds, proportionalMemory, signal } from "./processes.ts"
import type { Figure } from "./report.ts"
import { scale } from "./scale.ts"
import { memoryOf, requests, type Stage } from "./stage.ts"
import { median, quantile } from "./statistics.ts"

export interface Sizes {
  readonly cold: number
  readonly steady: number
  readonly roundTrips: number
  readonly restSeconds: number
  readonly pictures: number
  readonly waves: number
  readonly streamSeconds: number
}
export const usual: Sizes = {
  cold: 2000,
  steady: 10_000,
  roundTrips: 1000,
  restSeconds: 20,
  pictures: 10,
  waves: 4,
  streamSeconds: 40
}
export const few: Sizes = { cold: 500, steady: 2000, roundTrips: 200, restSeconds: 4, pictures: 3, waves: 2, streamSeconds: 10 }

export interface Row {
  readonly id: string
  readonly figures: ReadonlyArray<Figure>
  readonly of: ReadonlyArray<Kind>
  /** Too long for a usual run. */
  readonly long?: boolean
  /** By the ids of `figures`. */
  readonly measure: (stage: Stage, contender: Contender) => Promise<Readonly<Record<string, number>>>
}

const PATIENCE = 300_000

/** Asks every 2 ms until the answer is yes, which is too rarely to be seen in the figures. Returns how often it asked. */
const until = async (child: ChildProcess, ask: () => Promise<boolean>): Promise<number> => {
  const begun = performance.now()
  for (let asked = 1; ; asked++) {
    if (await ask()) return asked
    if (child.exitCode !== null || child.signalCode !== null)
      throw new Error(`the worker ended with ${child.exitCode ?? child.signalCode}`)
    if (performance.now() - begun > PATIENCE) throw new Error(`not done within ${PATIENCE / 1000} s`)
    await sleep(2)
  }
}

/** Measures with a worker that has run its first task. */
const withWorker = async <A>(
  { start, work }: Contender,
  options: Parameters<Contender["start"]>[0],
  use: (child: ChildProcess) => Promise<A>
): Promise<A> => {
  const child = await start(options)
  try {
    await (
      await work.prepare(1)
    )()
    await until(child, async () => (await work.done()) > 0)
    return await use(child)
  } finally {
    await end(child)
  }
}

/**
 * Measures a backlog, or its first `count` tasks, from the moment that the worker may see it. The worker is frozen while the backlog
 * is put on the queue, so it takes the first task when all are there.
 */
const drain = async (stage: Stage, { work }: Contender, child: ChildProcess, size: number, count = size) => {
  const release = await work.prepare(size)
  const before = await work.done()
  const pids = family(child)
  signal(pids, "SIGSTOP")
  await release()
  const [asked, spent] = [await requests(stage.broker), processorSeconds(pids)]
  const begun = performance.now()
  signal(pids, "SIGCONT")
  const own = await until(child, async () => (await work.done()) - before >= count)
  const seconds = (performance.now() - begun) / 1000
  const processor = processorSeconds(pids) - spent
  const done = (await work.done()) - before // of a deep backlog more than we waited for
  const now = await requests(stage.broker)
  const ownRequests = own + 2 // the polls, the count before this, and the first of the two looks at the counters
  return {
    rate: count / seconds,
    processor: (processor / count) * 1000,
    commands: (now.commands - asked.commands - ownRequests) / done,
    roundTrips: (now.reads - asked.reads - ownRequests) / done
  }
}

const figure = (id: string, label: string, better: "higher" | "lower" = "lower"): Figure => ({ id, label, better })
const all: ReadonlyArray<Kind> = ["ours", "celery", "late", "bullmq", "floor"]

const backlog = ({ cold, steady }: Sizes): Row => ({
  id: "backlog",
  of: all,
  figures: [
    figure("rate, cold", `tasks/s, backlog of ${cold}, cold`, "higher"),
    figure("rate, steady", `tasks/s, backlog of ${steady}, steady`, "higher"),
    figure("processor, cold", "CPU s per 1000 tasks, cold"),
    figure("processor, steady", "CPU s per 1000 tasks, steady"),
    figure("commands", "Redis commands per task"),
    figure("requests", "Redis round trips per task")
  ],
  measure: (stage, contender) =>
    withWorker(contender, {}, async (child) => {
      const first = await drain(stage, contender, child, cold)
      const then = await drain(stage, contender, child, steady)
      return {
        "rate, cold": first.rate,
        "rate, steady": then.rate,
        "processor, cold": first.processor,
        "processor, steady": then.processor,
        commands: then.commands,
        requests: then.roundTrips
      }
    })
})

const roundTrip = ({ roundTrips }: Sizes): Row => ({
  id: "roundtrip",
  of: all,
  figures: [figure("trip p50", "round trip p50, ms"), figure("trip p99", "round trip p99, ms")],
  measure: (_, contender) =>
    withWorker(contender, {}, async () => {
      const times = await contender.work.roundTrips(roundTrips)
      return { "trip p50": quantile(times, 0.5), "trip p99": quantile(times, 0.99) }
    })
})

const startRow: Row = {
  id: "start",
  of: ["ours", "celery", "bullmq"],
  figures: [figure("start", "start to first result, s")],
  measure: async (_, contender) => {
    await (
      await contender.work.prepare(1)
    )()
    const begun = performance.now()
    const child = await contender.start()
    try {
      await until(child, async () => (await contender.work.done()) > 0)
      return { start: (performance.now() - begun) / 1000 }
    } finally {
      await end(child)
    }
  }
}

const SETTLE_SECONDS = 3

/** Commands a second that Redis gets while no task is sent. */
const restingRequests = async (stage: Stage, seconds: number) => {
  const before = await requests(stage.broker)
  await sleep(seconds * 1000)
  return ((await requests(stage.broker)).commands - before.commands - 1) / seconds
}

const rest = ({ restSeconds }: Sizes): Row => ({
  id: "rest",
  of: ["ours", "celery", "bullmq"],
  figures: [
    figure("idle memory", "idle memory PSS, MB, one worker alone"),
    figure("idle memory of two", "idle memory PSS, MB, each of two workers"),
    figure("idle processor", "idle CPU, % of a core"),
    figure("idle commands", "Redis commands/s at rest"),
    figure("connections", "Redis connections at rest")
  ],
  measure: (stage, contender) =>
    withWorker(contender, {}, async (child) => {
      await sleep(SETTLE_SECONDS * 1000)
      const pids = family(child)
      const memory = proportionalMemory(pids)
      const spent = processorSeconds(pids)
      const commands = await restingRequests(stage, restSeconds)
      const processor = processorSeconds(pids) - spent
      const connections = await stage.connections()
      const second = await contender.start({ name: "bench2" })
      try {
        await sleep(SETTLE_SECONDS * 1000)
        return {
          "idle memory": memory,
          "idle memory of two": proportionalMemory([...pids, ...family(second)]) / 2,
          "idle processor": (processor / restSeconds) * 100,
          "idle commands": commands,
          connections
        }
      } finally {
        await end(second)
      }
    })
})

const SHORT_PICTURE = 0.7

const picture = ({ pictures }: Sizes): Row => ({
  id: "picture",
  of: ["ours", "celery"],
  figures: [
    figure("above picture", `ms above a picture of ${SHORT_PICTURE * 1000} ms, p50`),
    figure("calls", "HTTP calls per picture")
  ],
  measure: async (stage, contender) => {
    await stage.simulator.pictureTakes(SHORT_PICTURE)
    return withWorker(contender, {}, async () => {
      await stage.pythonClient("pictures", 2) // both learn and connect first
      const before = await stage.simulator.calls()
      const times = await stage.pythonClient("pictures", pictures)
      return {
        "above picture": median(times) - SHORT_PICTURE * 1000,
        calls: ((await stage.simulator.calls()) - before) / pictures
      }
    })
  }
})

const LONG_PICTURE = 2

/** Celery has a process for each slot: 64 of them are what one machine can carry. */
const slots = ({ waves }: Sizes, count: number, of: ReadonlyArray<Kind>, long: boolean): Row => ({
  id: `slots-${count}`,
  of,
  long,
  figures: [
    figure(`share of the ideal, ${count}`, `${count} pictures of ${LONG_PICTURE} s at once: % of the ideal`, "higher"),
    figure(`processor a picture, ${count}`, `${count} pictures at once: CPU ms a picture`),
    figure(`memory, ${count}`, `${count} pictures at once: PSS, MB`)
  ],
  measure: async (stage, contender) => {
    await stage.simulator.pictureTakes(LONG_PICTURE)
    return withWorker(contender, { slots: count }, async (child) => {
      await stage.pythonClient("pictures", 1) // it learns and connects first
      const total = waves * count
      const pids = family(child)
      signal(pids, "SIGSTOP")
      await stage.pythonClient("enqueue-pictures", total)
      const before = await contender.work.done()
      const spent = processorSeconds(pids)
      const begun = performance.now()
      signal(pids, "SIGCONT")
      let memory = 0
      let looked = begun
      await until(child, async () => {
        if (performance.now() - looked > 1000) {
          looked = performance.now()
          memory = Math.max(memory, proportionalMemory(pids))
        }
        return (await contender.work.done()) - before >= total
      })
      const seconds = (performance.now() - begun) / 1000
      return {
        [`share of the ideal, ${count}`]: ((waves * LONG_PICTURE) / seconds) * 100,
        [`processor a picture, ${count}`]: ((processorSeconds(pids) - spent) / total) * 1000,
        [`memory, ${count}`]: memory
      }
    })
  }
})

/** The first of a deep backlog. */
const TAKEN = 3000

const depth = (size: number, long: boolean): Row => ({
  id: `depth-${size}`,
  of: all,
  long,
  figures: [
    figure(`rate of ${size}`, `tasks/s, the first ${TAKEN} of ${size}`, "higher"),
    figure(`Redis memory of ${size}`, `Redis memory with ${size} tasks, MB`)
  ],
  measure: (stage, contender) =>
    withWorker(contender, {}, async (child) => {
      const before = await memoryOf(stage.broker)
      const { rate } = await drain(stage, contender, child, size, TAKEN)
      return { [`rate of ${size}`]: rate, [`Redis memory of ${size}`]: (await memoryOf(stage.broker)) - before }
    })
})

const ETA_TASKS = 50_000

const eta: Row = {
  id: "eta",
  of: ["ours", "celery"],
  long: true,
  figures: [
    figure("eta seconds", `${ETA_TASKS} ETA tasks: seconds to take in`),
    figure("eta memory", `${ETA_TASKS} ETA tasks: MB more in the worker`)
  ],
  measure: (stage, contender) =>
    withWorker(contender, {}, async (child) => {
      const pids = family(child)
      const memory = proportionalMemory(pids)
      await (
        await stage.prepare("enqueue-for-tomorrow", ETA_TASKS)
      )()
      const begun = performance.now()
      await until(child, async () => (await stage.waiting()) === 0)
      const seconds = (performance.now() - begun) / 1000
      await sleep(2000)
      return { "eta seconds": seconds, "eta memory": proportionalMemory(pids) - memory }
    })
}

const SAVES = 200
const LIBRARIES = [0, 1_000_000]

/** Measured by the worker's own metric of a save: the rest of a picture does not depend on the size of the library. */
const library: Row = {
  id: "library",
  of: ["ours"],
  long: true,
  figures: LIBRARIES.map((size) => figure(`save into ${size}`, `a picture's save, ms, library of ${size} rows`)),
  measure: async (stage, contender) => {
    await stage.simulator.pictureTakes(0)
    const found: Record<string, number> = {}
    for (const size of LIBRARIES) {
      await stage.clear()
      const metricsPort = await freePort()
      found[`save into ${size}`] = await withWorker(contender, { library: size, metricsPort }, async (child) => {
        const before = await contender.work.done()
        await stage.pythonClient("enqueue-pictures", SAVES)
        await until(child, async () => (await contender.work.done()) - before >= SAVES)
        const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
        const of = (what: string) => Number(new RegExp(`save_duration_seconds_${what} (\\S+)`).exec(metrics)?.[1])
        return (of("sum") / of("count")) * 1000
      })
    }
    return found
  }
}

const FLEET = 10

const fleet = ({ restSeconds }: Sizes): Row => ({
  id: "fleet",
  of: ["ours", "celery"],
  long: true,
  figures: [figure("fleet commands", `Redis commands/s of ${FLEET} workers at rest`)],
  measure: async (stage, contender) => {
    const children: Array<ChildProcess> = []
    try {
      for (let n = 1; n <= FLEET; n++) children.push(await contender.start({ name: `bench${n}` }))
      await sleep(3 * SETTLE_SECONDS * 1000)
      return { "fleet commands": await restingRequests(stage, restSeconds) }
    } finally {
      for (const child of children) await end(child)
    }
  }
})

export const rowsOf = (sizes: Sizes): ReadonlyArray<Row> => [
  backlog(sizes),
  roundTrip(sizes),
  startRow,
  rest(sizes),
  picture(sizes),
  slots(sizes, 1, ["ours", "celery"], true),
  slots(sizes, 16, ["ours", "celery"], true),
  slots(sizes, 64, ["ours"], false),
  slots(sizes, 256, ["ours"], true),
  depth(3000, true),
  depth(300_000, true),
  eta,
  library,
  fleet(sizes),
  scale(sizes, 20, 16),
  scale(sizes, 1, 256)
]
