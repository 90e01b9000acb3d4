/** What many slots cost, in one process or in a fleet, while pictures are asked for at the rate of a million a day. */
import type { ChildProcess } from "node:child_process"
import { setTimeout as sleep } from "node:timers/promises"
import type { Contender } from "./contenders.ts"
import { end, family, processorSeconds, proportionalMemory } from "./processes.ts"
import type { Figure } from "./report.ts"
import type { Row, Sizes } from "./rows.ts"
import { memoryOf, QUEUE, requests, type Stage } from "./stage.ts"
import { quantile } from "./statistics.ts"

/** Pictures a second: a million a day. */
const DAILY_RATE = 1_000_000 / 86_400
/** How long fal takes for one: 35 are busy at that rate. */
const PICTURE_SECONDS = 3
const ASIDE = "bench-aside"
const SETTLE_SECONDS = 15
const PATIENCE_SECONDS = 180

const until = async (ask: () => Promise<boolean>) => {
  for (let left = PATIENCE_SECONDS * 50; ; left--) {
    if (await ask()) return
    if (left === 0) throw new Error(`not done within ${PATIENCE_SECONDS} s`)
    await sleep(20)
  }
}

/** Seconds of a processor that Redis has used so far. */
const redisProcessor = async ({ broker }: Stage) =>
  [...(await broker.info("cpu")).matchAll(/^used_cpu_(?:user|sys):(\S+)/gm)].reduce(
    (sum, [, seconds]) => sum + Number(seconds),
    0
  )

/** What has been used until now, by the workers and by Redis. */
const used = async (stage: Stage, pids: ReadonlyArray<number>) => ({
  workers: processorSeconds(pids),
  redis: await redisProcessor(stage),
  commands: (await requests(stage.broker)).commands
})

/** Puts one message on the queue at a time, evenly. Gives when each was put there (Unix milliseconds), by the task's id. */
const stream = async ({ broker }: Stage, count: number): Promise<ReadonlyMap<string, number>> => {
  const sent = new Map<string, number>()
  const begun = performance.now()
  while (sent.size < count) {
    await sleep(Math.max(0, begun + (sent.size * 1000) / DAILY_RATE - performance.now()))
    const at = Date.now()
    const raw = await broker.lmove(ASIDE, QUEUE, "RIGHT", "LEFT")
    sent.set(JSON.parse(raw ?? "null").headers.id, at)
  }
  return sent
}

/** When each of these tasks had its result (Unix milliseconds). */
const ended = async ({ results }: Stage, ids: ReadonlyArray<string>) =>
  (await results.mget(ids.map((id) => `celery-task-meta-${id}`))).map((text) => {
    const { date_done, status } = JSON.parse(text ?? "null")
    if (status !== "SUCCESS") throw new Error(`a picture ended as ${status}`)
    return Date.parse(/Z|[+]\d\d:/.test(date_done) ? date_done : `${date_done}Z`)
  })

const withFleet = async <A>(
  { start }: Contender,
  count: number,
  slots: number,
  use: (children: ReadonlyArray<ChildProcess>) => Promise<A>
): Promise<A> => {
  const children: Array<ChildProcess> = []
  try {
    for (let n = 1; n <= count; n++) children.push(await start({ name: `bench${n}`, slots }))
    return await use(children)
  } finally {
    for (const child of children) await end(child)
  }
}

export const scale = ({ restSeconds, streamSeconds }: Sizes, count: number, slots: number): Row => {
  const name = `${count} x ${slots}`
  const figure = (id: string, label: string, better: "higher" | "lower" = "lower"): Figure => ({
    id: `${id}, ${name}`,
    label: `${name} slots: ${label}`,
    better
  })
  return {
    id: `scale-${count}x${slots}`,
    of: ["ours"],
    long: true,
    figures: [
      figure("memory", "PSS, MB, all together"),
      figure("connections", "Redis connections"),
      figure("idle processor", "idle CPU, % of a core"),
      figure("idle commands", "Redis commands/s at rest"),
      figure("above p50", "1 M a day: ms above the picture, p50"),
      figure("above p99", "1 M a day: ms above the picture, p99"),
      figure("processor", "1 M a day: CPU of the workers, % of a core"),
      figure("redis processor", "1 M a day: CPU of Redis, % of a core"),
      figure("commands", "1 M a day: Redis commands/s"),
      figure("rate", "pictures/s of a backlog", "higher"),
      figure("picture processor", "backlog: CPU of the workers, ms a picture"),
      figure("picture redis", "backlog: CPU of Redis, ms a picture"),
      figure("result", "Redis memory, KB a picture: its result"),
      figure("rest", "Redis memory, KB a picture: all else")
    ],
    measure: async (stage, contender) => {
      await stage.simulator.pictureTakes(PICTURE_SECONDS)
      const pictures = Math.round(streamSeconds * DAILY_RATE)
      const backlog = count * slots * 2
      await stage.pythonClient("enqueue-pictures", pictures + backlog)
      await stage.broker.rename(QUEUE, ASIDE)
      return withFleet(contender, count, slots, async (children) => {
        await until(async () => (await stage.broker.hlen("model-generator.workers")) === count)
        await sleep(SETTLE_SECONDS * 1000)
        const pids = children.flatMap(family)
        const rested = await used(stage, pids)
        const empty = (await memoryOf(stage.broker)) - (await stage.broker.memory("USAGE", ASIDE, "SAMPLES", "0"))! / 2 ** 20
        await sleep(restSeconds * 1000)
        const begun = await used(stage, pids)
        const connections = await stage.connections()

        const from = performance.now()
        const sent = await stream(stage, pictures)
        await until(async () => (await stage.results.dbsize()) >= pictures)
        const seconds = (performance.now() - from) / 1000
        const streamed = await used(stage, pids)
        const ends = await ended(stage, [...sent.keys()])
        const above = [...sent.values()].map((at, index) => ends[index]! - at - PICTURE_SECONDS * 1000)

        const again = performance.now()
        await stage.broker.rename(ASIDE, QUEUE)
        await until(async () => (await stage.results.dbsize()) >= pictures + backlog)
        const drained = (performance.now() - again) / 1000
        const done = await used(stage, pids)
        const full = await memoryOf(stage.broker)
        const all = pictures + backlog
        await stage.results.flushdb()
        const withoutResults = await memoryOf(stage.broker)
        const found = {
          memory: proportionalMemory(pids),
          connections,
          "idle processor": ((begun.workers - rested.workers) / restSeconds) * 100,
          "idle commands": (begun.commands - rested.commands) / restSeconds,
          "above p50": quantile(above, 0.5),
          "above p99": quantile(above, 0.99),
          processor: ((streamed.workers - begun.workers) / seconds) * 100,
          "redis processor": ((streamed.redis - begun.redis) / seconds) * 100,
          commands: (streamed.commands - begun.commands) / seconds,
          rate: backlog / drained,
          "picture processor": ((done.workers - streamed.workers) / backlog) * 1000,
          "picture redis": ((done.redis - streamed.redis) / backlog) * 1000,
          result: ((full - withoutResults) / all) * 1024,
          rest: ((withoutResults - empty) / all) * 1024
        }
        return Object.fromEntries(Object.entries(found).map(([id, value]) => [`${id}, ${name}`, value]))
      })
    }
  }
}
