/**
 * Whole workers in one synchronous run: one broker, result store, journal, library and fal, which outlive the workers, and an
 * observer at the world's side of every call. A worker dies as a process does: from one instant on nothing it does reaches the
 * world.
 */
import {
  Clock,
  ConfigProvider,
  Context,
  Deferred,
  Duration,
  Effect,
  Exit,
  type Fiber,
  Layer,
  Logger,
  Random,
  References,
  Scheduler
} from "effect"
import * as FleetMemory from "../../src/layers/memory/FleetMemory.ts"
import * as Media from "../../src/layers/media/Media.ts"
import * as MediaStoreMemory from "../../src/layers/memory/MediaStoreMemory.ts"
import { MediaSource, SourceError } from "../../src/services/MediaSource.ts"
import { MediaError, MediaStore, type Store } from "../../src/services/MediaStore.ts"
import { Pictures } from "../../src/services/Pictures.ts"
import { mediaSource, wrongWith } from "./media.ts"
import * as GeneratorMemory from "../../src/layers/memory/GeneratorMemory.ts"
import * as JournalMemory from "../../src/layers/memory/JournalMemory.ts"
import { budgetOf, make as makeBudget, type MemoryBudget } from "../../src/layers/memory/budget.ts"
import { Budget } from "../../src/services/Budget.ts"
import { Catalogue } from "../../src/services/Catalogue.ts"
import { type NanoDollars, times, zero } from "../../src/services/NanoDollars.ts"
import { make as makeJournal } from "../../src/layers/journal/entries.ts"
import * as MetricsMemory from "../../src/layers/memory/MetricsMemory.ts"
import * as ModelLibraryMemory from "../../src/layers/memory/ModelLibraryMemory.ts"
import * as ResultStoreMemory from "../../src/layers/memory/ResultStoreMemory.ts"
import * as TaskQueueMemory from "../../src/layers/memory/TaskQueueMemory.ts"
import * as kombu from "../../src/wire/kombu.ts"
import { makeWaitTimes, SeenWaitTimes } from "../../src/programs/generation/purchase/wait.ts"
import { worker } from "../../src/programs/worker/worker.ts"
import { Fleet, FleetError } from "../../src/services/Fleet.ts"
import { budgetRules, DEAREST } from "./budget.ts"
import { Busy, Generator, GeneratorError, type Ticket, Uncertain, Unreachable } from "../../src/services/Generator.ts"
import { Journal, JournalError } from "../../src/services/Journal.ts"
import { Ledger } from "../../src/services/Ledger.ts"
import { LibraryError, type Model, ModelLibrary } from "../../src/services/ModelLibrary.ts"
import { ResultStore, ResultStoreError, type TaskResult } from "../../src/services/ResultStore.ts"
import { patience, reserve, Stop } from "../../src/services/Stop.ts"
import { QueueError } from "../../src/services/QueueError.ts"
import { Vitals } from "../../src/services/Vitals.ts"
import { identity } from "../support.ts"
import * as Circuits from "./circuits.ts"
import { Dice } from "./Dice.ts"
import { describe } from "./describe.ts"
import { Fal } from "./Fal.ts"
import { older } from "./older.ts"
import { type Passage, silentHttp, through } from "./passage.ts"
import { type Link, LINKS, Process } from "./Process.ts"
import { pictures } from "../textPictures.ts"
import { Records } from "./Records.ts"
import { Redis } from "./Redis.ts"
import { VirtualTime } from "./VirtualTime.ts"
import { type Fate, Weather } from "./Weather.ts"

/** How long the drivers wait for an answer (milliseconds). */
const PATIENCE: Readonly<Record<Link, number>> = { redis: 5000, postgres: 10_000, fal: 15_000 }

export const START = Date.UTC(2026, 0, 1)
export const settings = {
  CELERY_BROKER_URL: "redis://localhost/0",
  CELERY_RESULT_BACKEND: "redis://localhost/1",
  DATABASE_URL: "postgresql://nobody@localhost/nothing",
  FAL_KEY: "test:key",
  TASK_SOFT_TIME_LIMIT: "60",
  TASK_TIME_LIMIT: "90",
  TASK_MAX_RETRIES: "3",
  TASK_RETRY_BACKOFF_MAX: "20",
  SHUTDOWN_GRACE: "20"
}

export const QUEUES = ["generator_queue", "second_queue"] as const
/** Commands at the broker that change nothing. */
const LOOKS = new Set(["awaitMessage", "scheduled", "list dead letters", "status", "ping", "look"])

/** For all workers of all runs: it keeps nothing. */
const http = Effect.runSync(Effect.scoped(Layer.build(silentHttp)))

const providers = new Map<string, ConfigProvider.ConfigProvider>()
const providerOf = (size: Cluster["size"]) => {
  const { children, prefetch, queues, wait } = size
  const key = `${children} ${prefetch} ${queues} ${wait}`
  const known = providers.get(key)
  if (known !== undefined) return known
  const made = ConfigProvider.fromUnknown({
    ...settings,
    WORKER_CONCURRENCY: String(children),
    WORKER_PREFETCH_MULTIPLIER: String(prefetch),
    WORKER_QUEUES: queues,
    FAL_WAIT: wait
  })
  providers.set(key, made)
  return made
}

/** What says that a worker looks after a request. */
const LOOKS_AT_FAL: ReadonlySet<string> = new Set(["progress", "awaitEnd"])

/** What a stop has: in all, until nothing is waited for any more, and from then on. */
const GRACE = Duration.seconds(Number(settings.SHUTDOWN_GRACE))
const PATIENT = patience(GRACE)
const HANDING_BACK = reserve(GRACE)

/**
 * Stands still for so long (milliseconds), loses its request or its answer, dies of it; or Redis forgets it, and it may die then.
 */
export type Ambush = number | "request" | "answer" | "death" | "forgotten" | "forgotten death"

export class Cluster {
  readonly dice: Dice
  readonly weather: Weather
  readonly time = new VirtualTime(START)
  readonly records
  readonly processes: Array<Process> = []
  readonly trace: Array<string> | undefined
  steps = 0
  /** By how much a clock has been wrong at most (milliseconds). */
  unequal = 0
  /** What happened how often, by name. */
  readonly events = new Map<string, number>()
  /** Whether every other worker is of an older version. */
  readonly isMixed: boolean
  /** How messages are taken: by so many children of a worker, so many for each, from these queues; and how ends are noticed. */
  readonly size: { readonly children: number; readonly prefetch: number; readonly queues: string; readonly wait: string }
  /** Whether results lie on the broker's server, so that the step that ends a task stores its result too. */
  readonly oneServer: boolean
  /** Whether the workers have a media store. */
  readonly keeps: boolean
  /** Whether fal's bills can be read. */
  readonly hasBills: boolean
  readonly #store: Store
  /** What waits for whoever makes a call next: it stands still before it for so long (milliseconds), loses it, or dies of it. */
  readonly ambushes: Array<{ readonly call: string; readonly does: Ambush }> = []
  /** How often more a look at a request of this seed kills its process. */
  readonly poison = new Map<number, number>()
  /** Kills its process when this task comes to the point of paying. */
  readonly heavy = new Set<string>()
  /** Whose result breaks the store. */
  readonly unstorable = new Set<string>()
  readonly broker
  readonly script
  readonly air
  readonly redis
  readonly results
  readonly entries
  readonly journal
  /** What may be spent in a day; null for any amount. */
  readonly budget: NanoDollars | null
  readonly rules
  /** Redis has forgotten nothing, and all clocks are right. */
  remembers = true
  /** What is spent and reserved, as Redis has it now. */
  money: MemoryBudget
  readonly ledger
  /** Whether workers hear of each other and of remote control, which costs a third of a run's time. */
  readonly talks: boolean
  /** How many Redis servers there have been: what is on its way to one never reaches the next. */
  #masters = 1
  readonly catalogue
  readonly #seed: number
  readonly #own
  readonly #world
  readonly #observed

  constructor(seed: number, traced: boolean) {
    this.#seed = seed
    this.dice = new Dice(seed)
    this.weather = new Weather(this.dice)
    this.talks = this.dice.chance(0.2)
    this.isMixed = this.dice.chance(0.15)
    this.size = {
      children: this.dice.pick([1, 1, 1, 2, 3, 4]),
      prefetch: this.dice.pick([1, 1, 1, 2]),
      queues: this.dice.chance(0.2) ? `${QUEUES[0]},${QUEUES[1]}` : QUEUES[0],
      wait: this.dice.pick(["stream", "stream", "stream", "poll"])
    }
    this.oneServer = this.dice.chance(0.7)
    this.keeps = new Dice(seed, 3).chance(0.5)
    this.hasBills = new Dice(seed, 5).chance(0.3)
    const purse = new Dice(seed, 4)
    this.budget = purse.chance(0.3) ? times(DEAREST, purse.pick([1, 1.5, 3])) : null
    this.rules = budgetRules(this.budget)
    this.money = makeBudget(this.rules)
    this.trace = traced ? [] : undefined
    this.#own = this.#references(undefined, new Dice(seed, 1)).pipe(
      Context.add(ConfigProvider.ConfigProvider, providerOf(this.size))
    )
    const world = this.#build(
      Layer.mergeAll(
        TaskQueueMemory.MemoryBroker.layer,
        FleetMemory.MemoryAir.layer,
        Layer.fresh(Circuits.layer),
        Layer.fresh(GeneratorMemory.layer),
        Layer.fresh(Media.layer),
        Layer.fresh(ModelLibraryMemory.layer),
        Layer.fresh(MetricsMemory.layer)
      ),
      this.#own
    )
    this.#world = world
    this.ledger = Context.get(world, Ledger)
    const media = Context.get(this.#build(Layer.fresh(MediaStoreMemory.layer), this.#own), MediaStore)
    if (media.kind === "unset") throw new Error("the store in memory is always set")
    this.#store = media
    this.broker = Context.get(world, TaskQueueMemory.MemoryBroker)
    // Nobody hears of a message before the step that brings it is over.
    const { pushed } = this.broker
    const open = pushed.openUnsafe.bind(pushed)
    pushed.openUnsafe = () => this.time.soon(open)
    this.catalogue = Context.get(world, Catalogue)
    this.script = Context.get(world, GeneratorMemory.GeneratorScript)
    this.script.bills.isReadable = this.hasBills
    this.air = Context.get(world, FleetMemory.MemoryAir)
    this.redis = new Redis(this.time, [this.broker, this.air.revoked])
    this.records = new Records(this)
    this.results = this.redis.keeps(() => Context.get(this.#build(Layer.fresh(ResultStoreMemory.layer), this.#own), ResultStore))
    this.entries = this.redis.keeps(() => {
      this.money = makeBudget(this.rules)
      return JournalMemory.makeEntries(0, this.money, this.broker.lives)
    })
    this.journal = this.#journal("nobody")
    const fal = new Fal(new Dice(seed, 2), this.time, this.script.ledger)
    const stored: Passage = (name, call, args) =>
      Effect.suspend(() => {
        if (name !== "store") return call
        if (this.unstorable.has((args[0] as TaskResult).task_id)) return Effect.die(new Error("cannot be stored")) // what `store` takes
        // A server that is full answers, and stores nothing; the next try finds room.
        if (this.weather.calm || !this.dice.chance(0.01)) return call
        this.count("results refused")
        return Effect.fail(new ResultStoreError({ operation: "store", cause: "OOM" }) as never) // as the store's own
      })
    this.#observed = {
      results: through(through(this.results, this.records.results), stored),
      library: through(through(Context.get(world, ModelLibrary), this.records.library), this.#checked),
      generator: through(Context.get(world, Generator), fal.passage)
    }
    const step = this.oneServer ? "results stored in the step that acknowledges" : "results stored before"
    const bills = this.hasBills ? "; fal's bills can be read" : ""
    this.note(
      `weather: ${this.weather.text}; ${this.size.children} children, ${this.size.prefetch} messages each; ${step}${bills}`
    )
    this.note(fal.text)
  }

  note(what: string, who = "") {
    this.trace?.push(`${((this.time.now - START) / 1000).toFixed(3).padStart(9)}  ${who.padEnd(6)} ${what}`)
  }

  count(event: string, by = 1) {
    this.events.set(event, (this.events.get(event) ?? 0) + by)
  }

  /** Begins something in this world's time. */
  fork<A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> {
    return Effect.runForkWith(this.#own)(effect)
  }

  /** Does something that waits for nothing. */
  run<A, E>(effect: Effect.Effect<A, E>): A {
    const fiber = this.fork(effect)
    this.time.settle()
    const exit = fiber.pollUnsafe()
    if (exit === undefined || Exit.isFailure(exit)) throw new Error(`did not go well: ${String(exit?.cause)}`)
    return exit.value
  }

  #build<A, E, R>(layer: Layer.Layer<A, E, R>, context: Context.Context<R>): Context.Context<A> {
    return this.run(Effect.provideContext(Effect.scoped(Layer.build(layer)), context))
  }

  #references(process: Process | undefined, dice: Dice) {
    const traced = this.trace !== undefined
    const logger = Logger.make(({ cause, logLevel, message }) => {
      const text = [message].flat().map((part) => (typeof part === "string" ? part : JSON.stringify(part)))
      this.note(`  ${logLevel}: ${text.join(" ")} ${cause.reasons.length > 0 ? String(cause) : ""}`, process?.boot)
    })
    return Context.make(Scheduler.Scheduler, this.time.scheduler).pipe(
      Context.add(
        Clock.Clock,
        this.time.clock(
          () => process?.alive !== false,
          () => process?.ahead ?? 0
        )
      ),
      Context.add(Random.Random, {
        nextDoubleUnsafe: () => dice.next(),
        nextIntUnsafe: () => Math.floor(dice.next() * Number.MAX_SAFE_INTEGER)
      }),
      Context.add(References.TracerEnabled, false),
      Context.add(References.MinimumLogLevel, traced ? "Info" : "None"),
      Context.add(Logger.CurrentLoggers, new Set(traced ? [logger] : []))
    )
  }

  /** Starts a worker under this name. */
  start(name: string): Process {
    const namesakes = this.processes.filter((other) => other.running && other.name === `celery@${name}`)
    // What starts where its namesake ended finds host and process id unchanged, as a container does. One that starts beside a
    // namesake is on another machine, which may be set up alike; or in a container beside it.
    const beside = namesakes.length === 0 ? "nobody" : this.dice.pick(["elsewhere", "alike", "same machine"] as const)
    const host = beside === "elsewhere" ? `${name}-${this.processes.length + 1}` : name
    const machine = beside === "elsewhere" || beside === "alike" ? `${this.processes.length + 1}` : "one"
    if (namesakes.length > 0) this.count("namesakes")
    const { children, prefetch } = this.size
    const boot = `${name}.${this.processes.length + 1}`
    const process = new Process({
      name: `celery@${name}`,
      boot,
      place: `${machine} ${host}`,
      room: children * prefetch,
      startedAt: this.time.now
    })
    this.processes.push(process)
    this.note("starts", process.boot)
    const dice = new Dice(this.#seed, 100 + this.processes.length)
    const redis = <E>(make: (operation: string) => E) => this.passage(process, "redis", make)
    const queue = redis((operation) => new QueueError({ operation, cause: "simulated" }))
    const base = this.#references(process, dice).pipe(
      Context.add(ConfigProvider.ConfigProvider, providerOf(this.size)),
      Context.add(Stop, {
        ...Stop.defaultValue(),
        begin: Effect.sync(() => this.#begin(process)),
        hurry: process.hurry,
        left: () => process.deadline - this.time.now
      }),
      Context.add(SeenWaitTimes, makeWaitTimes()),
      Context.add(TaskQueueMemory.MemoryWire, {
        send: (command, run) => {
          const heard = Effect.provideService(this.#kept(command, run), Clock.Clock, this.redis.clock)
          const sent = queue(command, this.records.command(process, command, heard), [])
          return command === "beat" ? this.#asking(process, sent) : sent
        }
      })
    )
    const { generator, library, results: stored } = this.#observed
    const results = through(
      stored,
      redis((operation) => new ResultStoreError({ operation, cause: "simulated" }))
    )
    const own = this.#build(
      Layer.mergeAll(Layer.fresh(TaskQueueMemory.layer), Layer.fresh(Vitals.layer), Layer.fresh(FleetMemory.layer)).pipe(
        Layer.provideMerge(identity(process.name, { boot: process.boot, host, machine, pid: 1, startedAt: this.time.now })),
        Layer.orDie
      ),
      Context.merge(this.#world, base).pipe(
        Context.add(ResultStore, results),
        Context.add(TaskQueueMemory.ResultsBeside, this.oneServer ? stored : undefined)
      )
    )
    const { requests } = Context.get(own, Vitals)
    process.hasInHand = (id) => (requests.get(id)?.startedAt ?? null) !== null
    process.isBusy = () => requests.size > 0
    const { hear, ...fleet } = Context.get(own, Fleet)
    const context = this.#world.pipe(
      Context.merge(http),
      Context.merge(own),
      Context.merge(base),
      this.talks
        ? Context.add(Fleet, {
            hear,
            ...through(
              fleet,
              redis((operation) => new FleetError({ operation, cause: "simulated" }))
            )
          })
        : Context.omit(Fleet),
      Context.add(ResultStore, results),
      Context.add(Budget, budgetOf(this.rules, this.money)),
      Context.add(
        Journal,
        through(
          this.#versionOf(process, through(this.#journal(process.name), this.records.journal(process))),
          redis((operation) => new JournalError({ operation, cause: "simulated" }))
        )
      ),
      Context.add(
        ModelLibrary,
        through(
          library,
          this.passage(
            process,
            "postgres",
            (operation) => new LibraryError({ operation, detail: "connection lost", retryable: true })
          )
        )
      ),
      Context.add(
        Ledger,
        through(
          this.ledger,
          this.passage(
            process,
            "postgres",
            (operation) => new LibraryError({ operation, detail: "connection lost", retryable: true })
          )
        )
      ),
      Context.add(
        Generator,
        through(
          generator,
          this.passage(process, "fal", (operation, arrived) => {
            const detail = "connection lost"
            if (operation !== "submit") return new GeneratorError({ reason: new Unreachable({ detail }) })
            return new GeneratorError({ reason: arrived === false ? new Busy({ detail }) : new Uncertain({ detail }) })
          })
        )
      )
    )
    process.fiber = Effect.runForkWith(this.keeps ? this.#keeping(process, context) : context)(Effect.scoped(worker))
    this.time.settle()
    return process
  }

  /** With a media store: it is away when the database is, and fal's media when fal is. */
  #keeping<R>(process: Process, context: Context.Context<R>) {
    const store = this.#store
    const stored = this.passage(
      process,
      "postgres",
      (operation) => new MediaError({ operation, reason: "away", detail: "connection lost" })
    )
    const fals = this.passage(process, "fal", () => new SourceError({ reason: "away", detail: "connection lost" }))
    const { read } = mediaSource(new Dice(this.#seed, 200 + this.processes.length))
    return context.pipe(
      Context.add(MediaStore, {
        ...store,
        put: (media) => stored("put", store.put(media), [media]),
        get: (name) => stored("get", store.get(name), [name]),
        check: stored("check", store.check, [])
      }),
      Context.add(MediaSource, { read: (address) => fals("read", read(address), [address]) }),
      Context.add(Pictures, pictures)
    )
  }

  /** A row that was saved has its files. */
  readonly #checked: Passage = (name, call) =>
    name !== "save" || !this.keeps
      ? call
      : Effect.tap(call, (row) =>
          Effect.map(wrongWith(this.#store, row as unknown as Model), (wrong) => {
            if (wrong !== undefined) this.records.violations.push(wrong)
          })
        )

  /** A process's own, which remembers what it wrote. */
  #journal(by: string) {
    return makeJournal(this.entries, Number(settings.TASK_TIME_LIMIT), by)
  }

  #versionOf(process: Process, journal: Journal["Service"]) {
    if (!this.isMixed || this.processes.indexOf(process) % 2 === 0) return journal
    this.count("workers of an older version")
    return older(journal)
  }

  /** A command at the broker, which may have to forget it. */
  #kept<A>(command: string, run: Effect.Effect<A>): Effect.Effect<A> {
    return LOOKS.has(command) ? run : Effect.tap(run, () => Effect.sync(() => this.redis.wrote()))
  }

  #asking<A, E>(process: Process, beat: Effect.Effect<A, E>) {
    return Effect.suspend(() => {
      process.askedAt = undefined
      return Effect.ensuring(
        beat,
        Effect.sync(() => {
          process.askedAt = this.time.now
        })
      )
    })
  }

  /** kill -9, or the machine is lost. */
  kill(process: Process, why = "") {
    if (!process.running) return
    this.note(`KILLED ${why}`, process.boot)
    process.alive = false
    this.count("kills")
    const holds = [...this.broker.unacknowledged.values()].filter(({ boot }) => boot === process.boot).length
    if (holds > 1) this.count("shared deaths")
  }

  /** SIGTERM. */
  stop(process: Process) {
    this.note("SIGTERM", process.boot)
    this.#begin(process)
    process.fiber?.interruptUnsafe()
    this.time.settle()
  }

  /** A second SIGTERM. */
  hurry(process: Process) {
    this.note("second SIGTERM", process.boot)
    this.#hurryUp(process)
    this.time.settle()
  }

  // As `StopSignals` does it.
  #begin(process: Process) {
    if (process.stoppingSince !== undefined) return
    process.stoppingSince = this.time.now
    this.#mustBeGoneIn(process, GRACE)
    this.soon(PATIENT, () => this.#hurryUp(process))
  }

  #hurryUp(process: Process) {
    Deferred.doneUnsafe(process.hurry, Exit.void)
    this.#mustBeGoneIn(process, HANDING_BACK)
  }

  #mustBeGoneIn(process: Process, time: Duration.Duration) {
    const then = this.time.now + Duration.toMillis(time)
    if (then >= process.deadline) return
    process.deadline = then
    // A process that stands still does not even end.
    this.fork(
      Effect.andThen(
        Effect.andThen(Effect.sleep(time), process.warm.await),
        Effect.sync(() => this.#giveUp(process))
      )
    )
  }

  #giveUp(process: Process) {
    if (!process.running) return
    this.note("out of time, ended", process.boot)
    process.alive = false
    this.records.ended(process, this.time.now)
  }

  /**
   * A replica is promoted that has only so many of the writes. All connections to Redis end, and new ones are refused a while.
   */
  failover(write: number) {
    this.note(`FAILOVER: forgets the last ${this.redis.writes - write} writes`)
    this.count("failovers")
    this.redis.forget(write)
    this.#masters++
    this.remembers = false
    for (const process of this.processes) {
      process.leasedUntil = this.broker.leases.get(process.boot) ?? Number.NEGATIVE_INFINITY
      process.beatAt = process.leasedUntil - kombu.LEASE * 1000
      process.steadySince = this.broker.steady.get(process.boot) ?? Number.NEGATIVE_INFINITY
      process.troubledAt = this.time.now
      process.wasForgotten = true
    }
    this.broker.pushed.openUnsafe()
    this.#allCut("refused", this.dice.pick([100, 500, 3000]))
  }

  /** Redis drops an entry of the journal, as it may when its memory is full and its settings allow it. */
  evict() {
    const evicted = this.records.evict(this.dice)
    if (evicted === undefined) return
    const { entry, taskId } = evicted
    this.note(`EVICTED: the journal's entry of ${taskId} (${entry._tag})`)
    this.count("evictions")
    const { print } = this.run(this.entries.look("evict", taskId))
    const money = { attempt: "", price: zero, subjects: [], settles: undefined }
    this.run(
      this.entries.replace("evict", taskId, { expected: print, text: null, state: undefined, open: 0, money, told: undefined })
    )
  }

  /** Redis answers nobody for a while, and then everybody. */
  stall(millis: number, how: "refused" | "silent") {
    this.note(`Redis is ${how} for all for ${millis} ms`)
    this.count("stalls")
    this.#allCut(how, millis)
  }

  #allCut(how: "refused" | "silent", millis: number) {
    const cut = this.processes.filter((process) => process.running)
    for (const process of cut) {
      this.cut(process, "redis", how)
      process.hindrances.push({ what: "redis", from: this.time.now, to: this.time.now + millis })
    }
    this.soon(millis, () => {
      for (const process of cut) process.links.redis = "up"
    })
  }

  /** A clock is set: of one process, of all, or of Redis. */
  setClock(of: Process | "Redis" | "all", by: number) {
    this.note(`the clock of ${of instanceof Process ? of.boot : of} is set by ${by} ms`)
    this.count("clock jumps")
    if (of === "Redis" || of === "all") {
      this.redis.ahead += by
      this.redis.wasSet = true
    }
    for (const process of of === "all" ? this.processes : of instanceof Process ? [of] : []) process.ahead += by
    this.unequal = Math.max(this.unequal, ...this.processes.map(({ ahead }) => Math.abs(ahead)), Math.abs(this.redis.ahead))
  }

  cut(process: Process, link: Link, how: "refused" | "silent") {
    this.note(`cut off from ${link}: ${how}`, process.boot)
    process.links[link] = how
    if (link === "redis") process.troubledAt = this.time.now
  }

  mend(process: Process) {
    this.note("all connections are back", process.boot)
    for (const link of LINKS) process.links[link] = "up"
  }

  /** SIGSTOP. */
  freeze(process: Process) {
    this.note("stands still", process.boot)
    process.troubledAt = this.time.now
    if (process.warm.isOpen()) process.hindrances.push({ what: "everything", from: this.time.now, to: Infinity })
    process.warm.closeUnsafe()
  }

  thaw(process: Process) {
    if (process.warm.isOpen() || !process.alive) return
    this.note("goes on", process.boot)
    process.troubledAt = this.time.now
    for (const hindrance of process.hindrances) hindrance.to = Math.min(hindrance.to, this.time.now)
    process.warm.openUnsafe()
    this.time.settle()
  }

  /** No more faults but those of fal's jobs. */
  heal() {
    this.weather.calm = true
    this.ambushes.length = 0
    for (const process of this.processes) {
      if (!process.running) continue
      this.mend(process)
      this.thaw(process)
    }
  }

  /** Nothing is queued, held, scheduled or owed to the ledger, and no worker goes on with what Redis has forgotten. */
  get isQuiet() {
    if (this.processes.some(({ isBusy, running }) => running && isBusy())) return false
    if (this.broker.unacknowledged.size > 0 || this.run(this.journal.owing) > 0) return false
    return [...this.broker.lists].every(([key, list]) => list.length === 0 || key.endsWith(".dead"))
  }

  /** Everything a process asks of the world goes through here. `arrived` false: it is certain that nothing was sent. */
  passage(process: Process, link: Link, failure: (operation: string, arrived?: boolean) => unknown): Passage {
    // The error is of the service's own kind, which a passage for all services cannot say.
    // A stream that is lost says nothing, and never fails.
    const fail = (operation: string, arrived?: boolean) =>
      operation === "awaitEnd" ? (Effect.succeedNone as never) : Effect.fail(failure(operation, arrived) as never)
    const after = <A, E>(millis: number, effect: Effect.Effect<A, E>) =>
      millis === 0 ? effect : Effect.andThen(Effect.sleep(millis), effect)
    const trouble = (millis: number) => {
      if (link === "redis") process.troubledAt = this.time.now
      process.hindrances.push({ what: link, from: this.time.now, to: this.time.now + millis })
    }
    const buys = (name: string, exit: Exit.Exit<unknown, unknown>) => {
      if (name === "submit" && Exit.isSuccess(exit)) this.records.buys(process, (exit.value as Ticket).requestId) // what `submit` gives
    }
    const away = <A, E>(name: string, call: Effect.Effect<A, E>): Effect.Effect<A, E> => {
      if (process.links[link] === "refused") return fail(name, false)
      const arrives = this.dice.chance(0.2)
      const there = Effect.map(Effect.exit(call), (exit) => buys(name, exit))
      return Effect.andThen(arrives ? there : Effect.void, Effect.andThen(Effect.sleep(PATIENCE[link]), fail(name)))
    }
    const alive = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        if (!process.alive) return Effect.never
        // It may be killed where it stands.
        return process.warm.isOpen() ? effect : Effect.andThen(process.warm.await, alive(effect))
      })
    return (name, call, args) =>
      Effect.suspend(() => {
        if (!process.alive) return Effect.never
        this.steps++
        const what = this.trace === undefined ? name : `${name}${describe(args)}`
        const idle = name === "awaitMessage"
        const does = this.#ambushed(name)
        if (typeof does === "number") {
          this.freeze(process)
          this.soon(does, () => this.thaw(process))
        }
        if (process.links[link] !== "up" && !idle) {
          trouble(process.links[link] === "silent" ? PATIENCE[link] : 0)
          this.note(`${what}: ${process.links[link]}`, process.boot)
          return alive(away(name, call))
        }
        if (LOOKS_AT_FAL.has(name)) this.records.looks(process, args[0] as Ticket) // what each of them takes
        const fate = this.weather.fate(name)
        const { delay, stops } = fate
        const master = this.#masters
        const dies: Fate["dies"] = does === "death" || does === "forgotten death" ? "after" : fate.dies
        const lost = does === "request" || does === "answer" ? does : fate.lost
        // An answer that a stop overtakes is no trouble: a worker must know what to do with it.
        const isOvertaken = stops && name === "acknowledge"
        if (lost !== undefined || (delay[0] + delay[1] > 0 && !isOvertaken) || !process.warm.isOpen())
          trouble(delay[0] + delay[1])
        const there = Effect.suspend((): Effect.Effect<never> | typeof call => {
          if (dies === "before" || this.#isPoison(name, args)) {
            this.kill(process, `before ${what}`)
            return Effect.never
          }
          if (lost === "request" || (link === "redis" && master !== this.#masters)) {
            this.note(`${what}: the request is lost`, process.boot)
            return fail(name)
          }
          return call
        })
        const back = Effect.flatMap(Effect.exit(there), (exit) => {
          buys(name, exit)
          if (!process.alive) return Effect.never
          if (does === "forgotten" || does === "forgotten death") {
            this.failover(Math.max(this.redis.earliest(2000), this.redis.writes - this.dice.pick([1, 1, 1, 5])))
            if (does === "forgotten") return alive(exit) // the answer had come just before
          }
          if (dies === "after") {
            this.kill(process, `after ${what}`)
            return Effect.never
          }
          if (lost === "answer") {
            this.note(`${what}: the answer is lost`, process.boot)
            return after(delay[1], alive(fail(name)))
          }
          if (name === "submit" && Exit.isSuccess(exit)) {
            const { requestId } = exit.value as Ticket // what `submit` gives
            this.records.answered.set(requestId, { by: process, at: this.time.now })
            this.records.knows(process, requestId)
          }
          if (stops)
            this.soon(20, () => {
              this.stop(process)
              if (name === "submit") this.hurry(process)
            })
          if (this.trace !== undefined && !idle) this.note(`${what} → ${describe([exit])}`, process.boot)
          const heard = name === "submit" && lost === undefined ? Effect.andThen(this.records.heard(process, args), exit) : exit
          // An answer that is still on its way from a Redis that is no more does not arrive.
          const arrives = link === "redis" ? Effect.suspend(() => (master !== this.#masters ? fail(name) : heard)) : heard
          return after(delay[1], alive(arrives))
        })
        return after(delay[0], alive(back))
      })
  }

  #ambushed(call: string) {
    const at = this.ambushes.findIndex((ambush) => ambush.call === call)
    return at === -1 ? undefined : this.ambushes.splice(at, 1)[0]?.does
  }

  /** In a while, and by nobody: a worker's fiber cannot stop the worker it is part of. */
  soon(time: Duration.Input, doing: () => void) {
    this.fork(Effect.delay(Effect.sync(doing), time))
  }

  #isPoison(name: string, args: ReadonlyArray<unknown>) {
    if (name === "intend") return this.heavy.has(args[0] as string) // its first argument is the task
    if (!LOOKS_AT_FAL.has(name) || this.poison.size === 0) return false
    // A look at a request: its first argument is the ticket.
    const { requestId } = args[0] as { readonly requestId: string }
    const row = this.run(this.script.ledger).find((row) => row.requestId === requestId)
    const left = this.poison.get(Number(row?.input["seed"])) ?? 0
    if (left > 0) this.poison.set(Number(row?.input["seed"]), left - 1)
    return left > 0
  }
}
