import { Effect, Option, Result } from "effect"
import type { Unacknowledged } from "../../src/layers/memory/Broker.ts"
import * as kombu from "../../src/wire/kombu.ts"
import type { Ticket } from "../../src/services/Generator.ts"
import { attemptOf, type Generation, outweighs } from "../../src/services/Journal.ts"
import type { Model } from "../../src/services/ModelLibrary.ts"
import type { Claimed } from "../../src/services/TaskQueue.ts"
import { isFinal, type TaskResult } from "../../src/services/ResultStore.ts"
import type { Cluster } from "./Cluster.ts"
import type { Dice } from "./Dice.ts"
import type { Passage } from "./passage.ts"
import type { Process } from "./Process.ts"

/** A lease, and how soon after an answer a worker asks for it again at the latest (milliseconds). */
const LEASE = kombu.LEASE * 1000
const BEAT = 5000
const LATE = kombu.LATE * 1000
const STEADY = kombu.STEADY * 1000

const LETTING_GO = new Set(["acknowledge", "handBack", "hold", "retry", "bury"])

const readId = (raw: string): string | undefined => {
  try {
    return (JSON.parse(raw) as { headers?: { id?: string } }).headers?.id // a message, or it throws
  } catch {
    return undefined
  }
}

/** A run asks for the same few messages again and again. */
const ids = new Map<string, string | undefined>()
export const idOf = (raw: string): string | undefined => {
  if (ids.has(raw)) return ids.get(raw)
  const id = readId(raw)
  if (ids.size > 1000) ids.clear()
  ids.set(raw, id)
  return id
}

/** What a claim gives, or the end of a hold that claims as well. */
const claimedIn = (answer: unknown): Claimed | undefined => {
  const given = Result.isResult(answer) ? Result.getOrElse(answer, () => undefined) : answer
  return Option.isOption(given) ? (Option.getOrUndefined(given) as Claimed | undefined) : undefined // nothing else is an option
}

/** How many retries a message says that it had. */
const retriesOf = (raw: string) => (JSON.parse(raw) as { headers?: { retries?: number } }).headers?.retries ?? 0 // our own message

interface Intent {
  readonly by: Process
  readonly at: number
  readonly dated: number
  readonly resubmits: number
  /** Whether its worker still held the task's message: a namesake that starts takes what it holds, and may end it. */
  readonly isHeld: boolean
  /** Names its generation. */
  readonly attempt: number
  /** Of the request that it became, once that is written down. */
  requestId: string | undefined
  /** It has cost nothing for certain. */
  withdrawn: boolean
  /** When Redis forgot it, or what was written of it later. */
  forgottenAt: number
}

export interface Answer {
  readonly by: Process
  readonly at: number
}

/** What an observer at the world's side of every call has seen, beside what lies there at the end. */
export class Records {
  /** Every document that was stored, by task id, in order. */
  readonly stored = new Map<string, Array<TaskResult>>()
  readonly rows = new Map<string, Model>()
  /** Request ids that were written to the journal, and how often and until when each was known there. */
  readonly attached = new Map<string, Array<{ readonly from: number; until: number }>>()
  /** Who made a request, by its id, and of which others it knew then. */
  readonly buyers = new Map<string, { readonly by: Process; readonly knew: ReadonlySet<string> }>()
  /** Tasks whose entry in the journal Redis has evicted. */
  readonly evicted = new Set<string>()
  /** With the time the broker heard of it, and the one it bears. */
  readonly intents = new Map<string, Array<Intent>>()
  /** How often a task's message was all that a dead worker held. */
  readonly lost = new Map<string, number>()
  /** The most retries that a task had, by id: a worker need not be able to store RETRY. */
  readonly retries = new Map<string, number>()
  /** Tasks that came to a worker a second time, of which a success that is there already is the end. */
  readonly redelivered = new Set<string>()
  /** Tasks that a stock worker has brought to their end, in its own way. */
  readonly endedByStock = new Set<string>()
  /** How often a worker has sent a task, by id. */
  readonly sent = new Map<string, number>()
  /** Who has looked at a request, by its id. */
  readonly lookers = new Map<string, Set<Process>>()
  /** Who knows of a request from the task it has in hand now, by the request's id. */
  readonly knowers = new Map<string, Set<Process>>()
  /** Request ids whose submit was answered, and to whom. */
  readonly answered = new Map<string, { readonly by: Process; readonly at: number }>()
  /** Who has heard an answer to a submit of a task, and when, by its seed. */
  readonly answers = new Map<number, Array<Answer>>()
  /** What a client has sent and Redis has forgotten: task ids, and groups whose size it was told. */
  readonly astray = new Set<string>()
  /** What a worker has sent and Redis has forgotten. Only a batch's children are not sent once more when the batch ends. */
  readonly unsent = new Set<string>()
  readonly violations: Array<string> = []
  /** What was known, by the text of a message that was given back in order, of the requests it pays for. */
  readonly #given = new Map<string, ReadonlySet<string>>()
  /** Of which task a request is. */
  readonly #taskOf = new Map<string, string>()
  /** What the journal says, by what was written. */
  readonly #entries = new Map<string, Generation>()
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  looks(by: Process, { requestId }: Ticket) {
    const lookers = this.lookers.get(requestId) ?? new Set()
    this.lookers.set(requestId, lookers.add(by))
    this.knows(by, requestId)
  }

  buys(by: Process, requestId: string) {
    const known = [...this.knowers].flatMap(([other, knowers]) => (knowers.has(by) ? [other] : []))
    this.buyers.set(requestId, { by, knew: new Set(known) })
  }

  knows(by: Process, requestId: string) {
    const knowers = this.knowers.get(requestId) ?? new Set()
    this.knowers.set(requestId, knowers.add(by))
  }

  #gives(by: Process, id: string, raw: string) {
    const known = [...this.knowers].flatMap(([requestId, knowers]) =>
      this.#taskOf.get(requestId) === id && knowers.has(by) ? [requestId] : []
    )
    this.#given.set(raw, new Set(known))
  }

  /** A message tells its taker what stands in it of requests, and what should, because who gave it back in order knew of them. */
  #taken(by: Process, id: string, raw: string) {
    for (const [requestId, taskId] of this.#taskOf) {
      if (taskId !== id) continue
      if (raw.includes(requestId) || this.#given.get(raw)?.has(requestId) === true) this.knows(by, requestId)
      else if (!by.hasInHand(id)) this.knowers.get(requestId)?.delete(by)
    }
  }

  heard(by: Process, args: ReadonlyArray<unknown>) {
    const [{ input }] = args as [{ readonly input: { readonly seed: number } }] // what `submit` takes
    const { time } = this.#cluster
    return Effect.sync(() => this.answers.set(input.seed, [...(this.answers.get(input.seed) ?? []), { by, at: time.now }]))
  }

  /** A stop that nothing hinders ends in order, and in time. */
  ended({ boot, hindrances, stoppingSince = 0 }: Process, now: number) {
    if (hindrances.some(({ to }) => to >= stoppingSince)) return
    this.violations.push(`does not stop: ${boot}, asked ${now - stoppingSince} ms ago`)
  }

  readonly results: Passage = (name, call, args) =>
    name !== "store"
      ? call
      : Effect.tap(call, () =>
          Effect.sync(() => {
            const document = args[0] as TaskResult // what `store` takes
            const all = this.stored.get(document.task_id) ?? []
            this.stored.set(document.task_id, all)
            all.push(document)
            this.#cluster.redis.noted(() => all.pop())
          })
        )

  journal(by: Process): Passage {
    return (name, call, args) =>
      name !== "advance" && name !== "intend" && name !== "withdraw"
        ? call
        : Effect.tap(call, (answer) =>
            Effect.sync(() => {
              if (name === "withdraw") return this.#withdrawn(args)
              if (answer !== "written") return
              const [taskId, next, repeats] = args as [string, Generation, Option.Option<Generation> | undefined] // what they take
              this.#written(taskId, next, repeats)
              if (name === "intend") this.#intended(by, taskId, next)
              else this.#advanced(taskId, next)
            })
          )
  }

  #advanced(taskId: string, next: Generation) {
    if (next._tag === "Intended") return
    const { requestId } = next
    const intent = this.intents.get(taskId)?.find(({ attempt }) => attempt === attemptOf(next))
    if (intent !== undefined) intent.requestId = requestId
    this.#taskOf.set(requestId, taskId)
    const spans = this.attached.get(requestId) ?? []
    this.attached.set(requestId, spans)
    if (spans.at(-1)?.until === Infinity) return
    const { redis, time } = this.#cluster
    const span = { from: time.now, until: Infinity }
    spans.push(span)
    redis.noted(() => {
      span.until = time.now
    })
  }

  /** Whether the journal knows of this request, or once did and Redis has forgotten it. */
  isKnown(requestId: string, at = Infinity): boolean {
    return (this.attached.get(requestId) ?? []).some(({ from, until }) => from <= at && until >= at)
  }

  /** An entry has gone from the journal that somebody may still need. */
  evict(dice: Dice): { readonly taskId: string; readonly entry: Generation } | undefined {
    const { time } = this.#cluster
    const open = [...this.#entries].filter(([taskId]) => !this.hasEnded(taskId))
    if (open.length === 0) return
    const [taskId, entry] = dice.pick(open)
    this.evicted.add(taskId)
    this.#set(taskId, undefined)
    for (const [requestId, spans] of this.attached)
      if (this.#taskOf.get(requestId) === taskId) for (const span of spans) span.until = Math.min(span.until, time.now)
    for (const intent of this.intents.get(taskId) ?? []) intent.forgottenAt = Math.min(intent.forgottenAt, time.now)
    return { taskId, entry }
  }

  hasEnded(taskId: string): boolean {
    return isFinal(this.stored.get(taskId)?.at(-1)?.status ?? "")
  }

  #intended(by: Process, taskId: string, next: Generation) {
    const { broker, redis, time } = this.#cluster
    const { at: dated, resubmits } = next
    const intent: Intent = {
      by,
      at: time.now,
      dated,
      resubmits,
      isHeld: [...broker.unacknowledged.values()].some(({ boot, raw }) => boot === by.boot && idOf(raw) === taskId),
      attempt: attemptOf(next),
      requestId: undefined,
      withdrawn: false,
      forgottenAt: Infinity
    }
    this.intents.set(taskId, [...(this.intents.get(taskId) ?? []), intent])
    redis.noted(() => {
      intent.forgottenAt = time.now
    })
  }

  /** An entry of the journal gives way to what knows more, and to nothing else. */
  #written(taskId: string, next: Generation, repeats = Option.none<Generation>()) {
    const stored = this.#entries.get(taskId)
    const outweighed = stored === undefined || outweighs(next, stored)
    const repeated = stored !== undefined && Option.isSome(repeats) && attemptOf(repeats.value) === attemptOf(stored)
    if (!outweighed && !repeated) this.violations.push(`written over: ${taskId}`)
    this.#set(taskId, next)
  }

  #withdrawn(args: ReadonlyArray<unknown>) {
    const [taskId, generation, before] = args as [string, Generation, Option.Option<Generation>] // what `withdraw` takes
    for (const intent of this.intents.get(taskId) ?? []) if (intent.attempt === attemptOf(generation)) intent.withdrawn = true
    const stored = this.#entries.get(taskId)
    if (stored !== undefined && (attemptOf(stored) !== attemptOf(generation) || !outweighs(generation, stored))) return
    this.#set(taskId, Option.getOrUndefined(before))
  }

  #set(taskId: string, entry: Generation | undefined) {
    const before = this.#entries.get(taskId)
    const set = (value: Generation | undefined) => {
      if (value === undefined) this.#entries.delete(taskId)
      else this.#entries.set(taskId, value)
    }
    set(entry)
    this.#cluster.redis.noted(() => set(before))
  }

  readonly library: Passage = (name, call) =>
    name !== "save"
      ? call
      : Effect.tap(call, (row) =>
          Effect.sync(() => {
            const model = row as Model // what `save` gives
            this.rows.set(model.id, model)
          })
        )

  /** A command of the task queue, with the broker looked at before and after. */
  command<A>(by: Process, name: string, run: Effect.Effect<A>): Effect.Effect<A> {
    const { broker } = this.#cluster
    if (name === "publish" || name === "publishOnce")
      return Effect.suspend(() => {
        const before = new Map([...broker.lists].map(([key, list]) => [key, list.length]))
        return Effect.tap(run, () =>
          Effect.sync(() => {
            for (const [key, list] of broker.lists)
              for (const raw of list.slice(0, list.length - (before.get(key) ?? 0))) {
                this.#sends(idOf(raw) ?? "?")
              }
          })
        )
      })
    return this.#onlyOwn(by, name, this.#watched(by, name, run))
  }

  #sends(id: string) {
    this.sent.set(id, (this.sent.get(id) ?? 0) + 1)
    this.#cluster.redis.noted(() => {
      this.sent.set(id, (this.sent.get(id) ?? 0) - 1)
      this.unsent.add(id)
    })
  }

  /** A count of the crashes of a task changes with this write, and back when it is forgotten. */
  #lose(id: string, times: number) {
    const before = this.lost.get(id) ?? 0
    this.lost.set(id, times)
    this.#cluster.redis.noted(() => this.lost.set(id, before))
  }

  /** Nobody lets go of what another holds. */
  #onlyOwn<A>(by: Process, name: string, run: Effect.Effect<A>): Effect.Effect<A> {
    if (!LETTING_GO.has(name)) return run
    const { broker } = this.#cluster
    return Effect.suspend(() => {
      const others = [...broker.unacknowledged.values()].filter(({ boot }) => boot !== undefined && boot !== by.boot)
      return Effect.tap(run, () =>
        Effect.sync(() => {
          for (const entry of others)
            if (broker.unacknowledged.get(entry.tag) !== entry)
              this.violations.push(`not its own: ${by.boot} lets go of ${entry.tag}, which ${entry.boot} holds (${name})`)
        })
      )
    })
  }

  #watched<A>(by: Process, name: string, run: Effect.Effect<A>): Effect.Effect<A> {
    const cluster = this.#cluster
    const { broker } = cluster
    if (name === "claim" || name === "acknowledge" || name === "hold")
      return Effect.tap(run, (answer) =>
        Effect.sync(() => {
          const { raw } = claimedIn(answer) ?? { raw: "" }
          const id = idOf(raw) ?? "?"
          if (raw.includes('"redelivered": true')) this.redelivered.add(id)
          if (raw !== "") this.#taken(by, id, raw)
          const held = [...broker.unacknowledged.values()].filter(({ boot }) => boot === by.boot).length
          if (held > by.room && by.untroubled) this.violations.push(`too many: ${by.boot} holds ${held} messages`)
        })
      )
    if (name === "retry")
      return Effect.suspend(() => {
        const before = new Set(broker.unacknowledged.values())
        return Effect.tap(run, () =>
          Effect.sync(() => {
            for (const entry of broker.unacknowledged.values()) {
              if (before.has(entry)) continue
              const id = idOf(entry.raw) ?? "?"
              // A run that ended in order: its crashes are counted anew.
              this.#lose(id, 0)
              this.retries.set(id, Math.max(this.retries.get(id) ?? 0, retriesOf(entry.raw)))
              this.#gives(by, id, entry.raw)
            }
          })
        )
      })
    if (name === "beat") return Effect.tap(run, (ours) => Effect.sync(() => this.#beat(by, ours === true)))
    if (name === "resign")
      return Effect.tap(run, () =>
        Effect.sync(() => {
          by.leasedUntil = Number.NEGATIVE_INFINITY
        })
      )
    if (name !== "release") return run
    return Effect.suspend(() => {
      const before = [...broker.unacknowledged.values()]
      return Effect.tap(
        run,
        Effect.sync(() => this.#release(by, before))
      )
    })
  }

  /** One of a name at a time, and the next at once when the last is over. */
  #beat(by: Process, ours: boolean) {
    const { processes, redis } = this.#cluster
    const others = processes.filter(
      ({ boot, leasedUntil, name }) => boot !== by.boot && name === by.name && leasedUntil > redis.now
    )
    // A life that begins takes the name of one at its own place, which it cannot tell from one that has ended; no other may.
    const begins = by.beatAt === Number.NEGATIVE_INFINITY
    const live = others.filter((other) => other.place !== by.place || (other.running && !begins))
    if (!ours) {
      if (live.length === 0 && begins && !by.wasForgotten && !redis.wasSet)
        this.violations.push(`kept waiting: ${by.boot}, though nobody has its name`)
      return
    }
    for (const { boot } of redis.wasSet ? [] : live) this.violations.push(`two of a name: ${by.boot} beside ${boot}`)
    for (const other of others) {
      other.leasedUntil = Number.NEGATIVE_INFINITY
      other.steadySince = Number.POSITIVE_INFINITY
    }
    if (begins) for (const other of processes) if (other !== by && other.name === by.name) other.wasForgotten = true
    by.leasedUntil = redis.now + LEASE
    if (redis.now - by.beatAt > LATE || by.steadySince > redis.now) by.steadySince = redis.now
    by.beatAt = redis.now
  }

  /** What is given back of others is what they held whose lease is over, all of it and nothing else, by whom nothing hindered. */
  #release(by: Process, before: ReadonlyArray<Unacknowledged>) {
    const { broker, processes, redis, time } = this.#cluster
    for (const entry of before) {
      const { boot, raw, tag } = entry
      if (boot === undefined || boot === by.boot) continue
      const id = idOf(raw) ?? "?"
      const holder = processes.find((process) => process.boot === boot)
      const over = holder === undefined || holder.leasedUntil < redis.now
      // Whose lease was given up or evicted is dead for certain; whose ran out, only by the word of a worker that beats on time.
      const certain = holder === undefined || holder.leasedUntil === Number.NEGATIVE_INFINITY
      const steady = redis.now - by.beatAt <= LATE && redis.now - by.steadySince >= STEADY
      if (broker.unacknowledged.get(tag) === entry) {
        if (over && !redis.wasSet && (certain || steady))
          this.violations.push(`left with the dead: ${id} with ${boot} by ${by.boot}`)
        continue
      }
      if (!over) this.violations.push(`robbed: ${boot} of ${id} by ${by.boot}: its lease was good`)
      if (!certain && !steady) this.violations.push(`robbed: ${boot} of ${id} by ${by.boot}, whose own beats were not on time`)
      if (before.filter((other) => other.boot === boot).length === 1) this.#lose(id, (this.lost.get(id) ?? 0) + 1)
      if (holder?.alive === true && !holder.running && holder.untroubled)
        this.violations.push(`not handed back: ${id} by ${holder.boot}, which was told to stop`)
      // A worker that stands still or that no request of reaches the broker may be robbed, and no other.
      if (holder?.awake === true && holder.askedAt !== undefined && time.now - holder.askedAt > BEAT + 1000)
        this.violations.push(`robbed: ${holder.boot} of ${id} by ${by.boot}: it does not ask for its lease`)
    }
  }
}
