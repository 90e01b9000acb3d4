/**
 * A world in this process for whole workers under the test clock: one broker, result store, journal, library and fal, which
 * outlive the workers. A worker can die as a process does: from one instant on nothing it does reaches the world.
 */
import { Clock, Context, Deferred, Duration, Effect, Fiber, Latch, Layer, Option, Random } from "effect"
import { TestClock } from "effect/testing"
import * as FalLimitsMemory from "../../src/layers/memory/FalLimitsMemory.ts"
import * as Media from "../../src/layers/media/Media.ts"
import type { MediaSource } from "../../src/services/MediaSource.ts"
import type { MediaStore } from "../../src/services/MediaStore.ts"
import type { Pictures } from "../../src/services/Pictures.ts"
import * as FalCatalogue from "../../src/layers/fal/FalCatalogue.ts"
import type { Catalogue, ProviderRequest } from "../../src/services/Catalogue.ts"
import * as GeneratorMemory from "../../src/layers/memory/GeneratorMemory.ts"
import * as Money from "../../src/layers/journal/money.ts"
import { budgetOf, make as makeBudget } from "../../src/layers/memory/budget.ts"
import * as JournalMemory from "../../src/layers/memory/JournalMemory.ts"
import { search } from "../../src/programs/commands/whyFacts.ts"
import * as TaskLivesMemory from "../../src/layers/memory/TaskLivesMemory.ts"
import { make as makeJournal } from "../../src/layers/journal/entries.ts"
import * as MetricsMemory from "../../src/layers/memory/MetricsMemory.ts"
import * as ModelLibraryMemory from "../../src/layers/memory/ModelLibraryMemory.ts"
import * as ResultStoreMemory from "../../src/layers/memory/ResultStoreMemory.ts"
import * as TaskQueueMemory from "../../src/layers/memory/TaskQueueMemory.ts"
import type * as NewMessage from "../../src/programs/celery/NewMessage.ts"
import { makeWaitTimes, SeenWaitTimes } from "../../src/programs/generation/purchase/wait.ts"
import { worker as ours } from "../../src/programs/worker/worker.ts"
import { AccountProblem, Generator, GeneratorError } from "../../src/services/Generator.ts"
import { Budget } from "../../src/services/Budget.ts"
import { Journal, JournalError } from "../../src/services/Journal.ts"
import { Ledger, type Row } from "../../src/services/Ledger.ts"
import { Metrics } from "../../src/services/Metrics.ts"
import { LibraryError, type Model, ModelLibrary, type NewModel } from "../../src/services/ModelLibrary.ts"
import { ResultStore, ResultStoreError, type TaskResult } from "../../src/services/ResultStore.ts"
import * as Settings from "../../src/services/Settings.ts"
import { Stop } from "../../src/services/Stop.ts"
import { Lease } from "../../src/services/Lease.ts"
import { type Outgoing, Publisher } from "../../src/services/Publisher.ts"
import { QueueInspector } from "../../src/services/QueueInspector.ts"
import { TaskQueue } from "../../src/services/TaskQueue.ts"
import { Vitals } from "../../src/services/Vitals.ts"
import { valueOf } from "../contracts/metrics.ts"
import { type Passage, silentHttp, through } from "../simulation/passage.ts"
import { identity, message, settings } from "../support.ts"

/** Where a process dies: at its nth call into the world, or the first of a name; before the call takes effect or just after. */
export interface Death {
  readonly at: number | string
  readonly when: "before" | "after"
}

/**
 * A plug that, once pulled, lets nothing through in either direction: what the world sees of kill -9. Frozen, it lets nothing
 * through until it thaws: a stopped container.
 */
const makePlug = (death?: Death) => {
  const warm = Latch.makeUnsafe(true)
  const state = { pulled: false, calls: 0, last: "" }
  const passage: Passage = (name, call, args) =>
    Effect.suspend(() => (warm.isOpen() ? pass(name, call, args) : Effect.andThen(warm.await, pass(name, call, args))))
  const pass: Passage = (name, call) =>
    Effect.suspend(() => {
      if (state.pulled) return Effect.never
      const mine = ++state.calls
      const here = death?.at === mine || death?.at === name
      if (here) state.last = name
      if (here && death?.when === "before") {
        state.pulled = true
        return Effect.never
      }
      return Effect.flatMap(Effect.exit(call), (exit) => {
        if (here) state.pulled = true
        return state.pulled ? Effect.never : exit
      })
    })
  return { state, passage, warm }
}

/** Always the same number instead of chance. */
export const noChance = (always: number) =>
  Effect.provideService(Random.Random, { nextIntUnsafe: () => Math.floor(always * 2 ** 31), nextDoubleUnsafe: () => always })

export const five = { gender: "female", age_range: "25-35", body_type: "average", pose: "front standing", style: "professional" }
export const template = "female_25-35_average_front-standing_professional"

/**
 * Does `effect` as something the clock woke: the test clock then waits until all that follows from it has come to rest. Takes a
 * millisecond.
 */
const settled = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.andThen(Effect.sleep("1 milli"), effect), { startImmediately: true })
    yield* TestClock.adjust("1 milli")
    return yield* Fiber.join(fiber)
  })

/** A world with what the whole fleet shares set by `env`, and another fal where one is given. */
export const makeWorldWith = Effect.fnUntraced(function* (
  options: {
    readonly env?: Readonly<Record<string, string>>
    readonly generator?: Generator["Service"]
    /** Whether results lie on the broker's server, so that the step that ends a task stores its result too. */
    readonly oneServer?: boolean
  } = {}
) {
  const fleet = options.env ?? {}
  const oneServer = options.oneServer === true
  const world = yield* Layer.build(
    Layer.mergeAll(
      TaskQueueMemory.MemoryBroker.layer,
      Layer.fresh(ResultStoreMemory.layer),
      Layer.fresh(FalLimitsMemory.layer),
      Layer.fresh(GeneratorMemory.layer).pipe(Layer.provide(settings(fleet)), Layer.orDie),
      Layer.fresh(ModelLibraryMemory.layer),
      Layer.fresh(MetricsMemory.layer)
    )
  )
  const broker = Context.get(world, TaskQueueMemory.MemoryBroker)
  const script = Context.get(world, GeneratorMemory.GeneratorScript)
  const results = Context.get(world, ResultStore)
  const library = Context.get(world, ModelLibrary)
  const ledger = Context.get(world, Ledger)
  const { FAL_MAX_CONCURRENT, TASK_TIME_LIMIT } = yield* Settings.of("FAL_MAX_CONCURRENT", "TASK_TIME_LIMIT").pipe(
    Effect.provide(settings(fleet)),
    Effect.orDie
  )
  const rules = yield* Money.rules.pipe(Effect.provide(settings(fleet)), Effect.orDie)
  const money = makeBudget(rules)
  const budget = budgetOf(rules, money)
  const entries = JournalMemory.makeEntries(FAL_MAX_CONCURRENT, money, broker.lives)
  /** The journal of one process, which remembers what it wrote. */
  const journalOf = (name: string) => makeJournal(entries, Duration.toSeconds(TASK_TIME_LIMIT), name)
  const journal = journalOf("nobody")
  const generator = options.generator ?? Context.get(world, Generator)
  const metrics = Context.get(world, Metrics)

  /** What is away at the moment. Change it at will. */
  const away = { database: false, results: false, journal: false, hangingDatabase: false }
  /** How long a call of the journal's takes (milliseconds). */
  const slow = { journal: 0 }
  /**
   * How the journal is spoilt: entries that cannot be read, by task id, and how far its clock is ahead of the workers'
   * (milliseconds).
   */
  const spoilt = { entries: new Map<string, string | null>(), ahead: 0 }
  const spoiling = (journal: Journal["Service"]): Journal["Service"] => ({
    ...journal,
    find: (id) =>
      Effect.map(journal.find(id), ({ entry, now }) => {
        const requestId = spoilt.entries.get(id)
        return {
          entry: requestId === undefined ? entry : Option.some({ _tag: "Unreadable" as const, requestId }),
          now: now + spoilt.ahead
        }
      }),
    intend: (id, ...rest) => (spoilt.entries.has(id) ? Effect.succeed("contended") : journal.intend(id, ...rest)),
    advance: (id, next) => (spoilt.entries.has(id) ? Effect.succeed("taken") : journal.advance(id, next))
  })
  /** A store that loses what it has acknowledged: an eviction, a failover, a hand. */
  const forget = (id: string) =>
    Effect.flatMap(journal.find(id), ({ entry }) =>
      Option.isSome(entry) && entry.value._tag !== "Unreadable" ? journal.withdraw(id, entry.value, Option.none()) : Effect.void
    )
  /** Calls of the journal's by name, each once: it is made, and its answer lost. */
  const unanswered: Array<string> = []
  const losingAnswers: Passage = (name, call) =>
    Effect.suspend(() => {
      const at = unanswered.indexOf(name)
      if (at === -1) return slow.journal === 0 ? call : Effect.andThen(Effect.sleep(slow.journal), call)
      unanswered.splice(at, 1)
      return Effect.andThen(call, Effect.fail(new JournalError({ operation: name, cause: "answer lost" }) as never)) // as below
    })
  /** Calls of the result store's that end as told here, by name: what else can be wrong with it than that it is away. */
  const broken = new Map<string, (argument: unknown) => Effect.Effect<never, ResultStoreError> | undefined>()
  const unlessBroken: Passage = (name, call, args) =>
    Effect.suspend(() => (broken.get(name)?.(args[0]) as typeof call | undefined) ?? call) // it fails as the store does
  /** Whether the database refuses our pictures for good, or any row at all, and who else saves just before us. */
  const database: { refuses: boolean; takesNone: boolean; before: Effect.Effect<unknown, LibraryError> } = {
    refuses: false,
    takesNone: false,
    before: Effect.void
  }
  /** Endpoints that fal refuses, with the status it answers; and each request that was refused. */
  const forbidden = new Map<string, number>()
  const refusals: Array<string> = []
  const unless =
    (isAway: () => boolean, error: (name: string) => unknown, isHanging = () => false): Passage =>
    (name, call) =>
      // The error is of the service's own kind, which a passage for all services cannot say.
      Effect.suspend(() => (isHanging() ? Effect.never : isAway() ? Effect.fail(error(name) as never) : call))
  const shared = {
    results: through(
      through(results, unlessBroken),
      unless(
        () => away.results,
        (operation) => new ResultStoreError({ operation, cause: "away" })
      )
    ),
    journalOf: (name: string) =>
      through(
        through(spoiling(journalOf(name)), losingAnswers),
        unless(
          () => away.journal,
          (operation) => new JournalError({ operation, cause: "away" })
        )
      ),
    library: through(
      {
        ...library,
        save: (model: NewModel, paid?: ReadonlyArray<Row>) =>
          database.refuses || database.takesNone
            ? Effect.fail(new LibraryError({ operation: "save", detail: "value too long", retryable: false }))
            : Effect.andThen(database.before, library.save(model, paid)),
        rehearse: Effect.suspend(() =>
          database.takesNone
            ? Effect.fail(new LibraryError({ operation: "rehearse", detail: "null value in a column", retryable: false }))
            : library.rehearse
        )
      },
      unless(
        () => away.database,
        (operation) => new LibraryError({ operation, detail: "connection refused", retryable: true }),
        () => away.hangingDatabase
      )
    ),
    ledger: through(
      ledger,
      unless(
        () => away.database,
        (operation) => new LibraryError({ operation, detail: "connection refused", retryable: true }),
        () => away.hangingDatabase
      )
    ),
    generator: {
      ...generator,
      submit: (request: ProviderRequest) =>
        Effect.suspend(() => {
          const { endpoint } = request
          const status = forbidden.get(endpoint)
          if (status === undefined) return generator.submit(request)
          refusals.push(endpoint)
          return Effect.fail(
            new GeneratorError({ reason: new AccountProblem({ status, detail: "not for you", scope: "endpoint", endpoint }) })
          )
        }),
      // As a picture of fal's is found: by https.
      result: (ticket: Parameters<typeof generator.result>[0]) =>
        Effect.map(generator.result(ticket), (picture) => ({
          ...picture,
          url: picture.url.replace("memory://", "https://fal.example/")
        }))
    }
  }

  let dead = 0
  /** Starts a worker. It runs until it is stopped, or killed at the end of the test. */
  const start = Effect.fnUntraced(function* (
    options: {
      readonly name?: string
      readonly host?: string
      readonly env?: Readonly<Record<string, string>>
      readonly death?: Death
      readonly chance?: number
      /** Where pictures are read, examined and stored; by default nowhere. */
      readonly media?: Layer.Layer<MediaSource | MediaStore | Pictures>
      /** Another provider's. */
      readonly catalogue?: Layer.Layer<Catalogue>
      /** Another worker than ours, which may run other tasks. */
      readonly worker?: typeof ours
    } = {}
  ) {
    const plug = makePlug(options.death)
    const hurry = yield* Deferred.make<void>()
    const env = settings({ ...fleet, ...options.env })
    const name = options.name ?? `celery@${++dead}`
    const catalogue = (options.catalogue ?? FalCatalogue.layer).pipe(Layer.provide(env), Layer.orDie)
    const media = (options.media ?? Media.layer).pipe(Layer.provide(env), Layer.orDie)
    const stored = through(shared.results, plug.passage)
    const mine = Layer.fresh(TaskQueueMemory.layer).pipe(
      Layer.provide(Layer.succeed(ResultStore, stored)),
      Layer.provide(Layer.succeed(TaskQueueMemory.ResultsBeside, oneServer ? shared.results : undefined)),
      Layer.provideMerge(identity(name, { startedAt: yield* Clock.currentTimeMillis, host: options.host ?? "test" })),
      Layer.provide(Layer.succeedContext(world)),
      Layer.provide(env),
      Layer.orDie
    )
    const own = yield* Layer.build(
      Layer.mergeAll(mine, Layer.fresh(catalogue), Layer.fresh(media), Layer.fresh(Vitals.layer), silentHttp)
    )
    const context = Context.merge(world, own).pipe(
      Context.add(TaskQueue, through(Context.get(own, TaskQueue), plug.passage)),
      Context.add(Publisher, through(Context.get(own, Publisher), plug.passage)),
      Context.add(Lease, through(Context.get(own, Lease), plug.passage)),
      Context.add(QueueInspector, through(Context.get(own, QueueInspector), plug.passage)),
      Context.add(ResultStore, stored),
      Context.add(Journal, through(shared.journalOf(name), plug.passage)),
      Context.add(Budget, budget),
      Context.add(ModelLibrary, through(shared.library, plug.passage)),
      Context.add(Ledger, through(shared.ledger, plug.passage)),
      Context.add(Generator, through(shared.generator, plug.passage)),
      Context.add(SeenWaitTimes, makeWaitTimes()),
      Context.add(Stop, { ...Stop.defaultValue(), hurry })
    )
    const running = (options.worker ?? ours).pipe(Effect.scoped, Effect.provideContext(context), Effect.provide(env))
    const fiber = yield* settled(Effect.forkDetach(options.chance === undefined ? running : noChance(options.chance)(running)))
    const kill = Effect.sync(() => {
      plug.state.pulled = true
    })
    yield* Effect.addFinalizer(() =>
      Effect.andThen(
        kill,
        Effect.sync(() => fiber.interruptUnsafe())
      )
    )
    return {
      fiber,
      kill,
      freeze: plug.warm.close,
      thaw: settled(plug.warm.open),
      /** SIGTERM; the fiber ends when the worker is gone. */
      stop: settled(Effect.forkDetach(Fiber.interrupt(fiber))),
      /** A second SIGTERM. */
      hurry: settled(Deferred.succeed(hurry, undefined)),
      plug: plug.state,
      vitals: Context.get(own, Vitals)
    }
  })

  const publish = (...messages: ReadonlyArray<Outgoing>) =>
    settled(
      Effect.sync(() => {
        for (const { queue, raw } of messages) {
          const list = broker.lists.get(queue) ?? []
          broker.lists.set(queue, list)
          list.unshift(raw)
        }
        broker.pushed.openUnsafe()
      })
    )
  /** A task as a client sends it; gives its id. */
  const send = Effect.fnUntraced(function* (task: Partial<NewMessage.NewTask> = {}) {
    const sent = message({ task: "generate_model", kwargs: five, ...task })
    yield* publish(sent)
    const id = (JSON.parse(sent.raw) as { headers: { id: string } }).headers.id // written by us
    return id
  })
  const pushRaw = (raw: string) => publish({ tag: "", queue: "generator_queue", priority: 0, raw })

  /** What an operator finds who asks for a task. */
  const lookFor = Effect.fnUntraced(function* (id: string) {
    const env = settings(fleet)
    const desk = Layer.mergeAll(Layer.fresh(TaskQueueMemory.layer), TaskLivesMemory.layer, Layer.fresh(FalCatalogue.layer)).pipe(
      Layer.provide([identity("operator@test"), Layer.succeedContext(world), env]),
      Layer.orDie
    )
    const own = yield* Layer.build(desk)
    const context = Context.merge(world, own).pipe(Context.add(Journal, journal), Context.add(ModelLibrary, shared.library))
    const until = { at: (yield* Clock.currentTimeMillis) + 10_000, patience: 10_000 }
    return yield* Effect.provideContext(search(id, until), Context.add(context, ResultStore, shared.results))
  })

  const result = (id: string) => Effect.map(results.get(id), Option.getOrUndefined)
  /** The document of a task that has ended well, with its value. */
  const success = Effect.fnUntraced(function* (id: string) {
    const document = yield* result(id)
    if (document?.status !== "SUCCESS") return yield* Effect.die(new Error(`${id} is ${JSON.stringify(document)}`))
    return document.result as Record<string, unknown> // each of our tasks returns an object
  })
  const failure = Effect.fnUntraced(function* (id: string) {
    const document = yield* result(id)
    if (document?.status !== "FAILURE") return yield* Effect.die(new Error(`${id} is ${JSON.stringify(document)}`))
    const { exc_message, exc_module, exc_type } = document.result as {
      exc_type: string
      exc_message: ReadonlyArray<string>
      exc_module: string
    } // by our Reply
    return { type: exc_type, module: exc_module, message: exc_message.join(", "), document: document as TaskResult }
  })
  const rows = Effect.fnUntraced(function* (templateId = template) {
    const found: Array<Model> = []
    for (let version = 1; ; version++) {
      const row = yield* library.find({ templateId, version })
      if (Option.isNone(row)) return found
      found.push(row.value)
    }
  })
  /** Where the messages are now. */
  const left = Effect.map(Clock.currentTimeMillis, (now) => {
    const held = [...broker.unacknowledged.values()]
    return {
      queued: [...broker.lists].filter(([key]) => !key.endsWith(".dead")).reduce((sum, [, list]) => sum + list.length, 0),
      running: held.filter(({ due }) => due === undefined).length,
      scheduled: held.filter(({ due }) => due !== undefined).map(({ due, raw }) => ({ inMs: due! - now, raw })),
      dead: (broker.lists.get("generator_queue.dead") ?? []).map((text) => JSON.parse(text) as Record<string, unknown>) // written by us
    }
  })
  const nothingLeft = Effect.map(left, ({ dead: letters, queued, running, scheduled }) => ({
    queued,
    running,
    scheduled: scheduled.length,
    dead: letters.length
  }))

  return {
    start,
    send,
    pushRaw,
    result,
    success,
    failure,
    rows,
    left,
    counts: nothingLeft,
    /** What each worker said of itself at its last beat. */
    beats: Effect.sync(() => [...broker.workers.values()]),
    script,
    budget,
    ledger: script.ledger,
    /** The rows of our own ledger. */
    paid: Effect.orDie(ledger.list({ since: null, until: null }, null, 1000)),
    journal,
    /** What is held lies in its queue once more, as after a failover to a replica that has not heard of the claim. */
    forgetHolds: settled(
      Effect.sync(() => {
        for (const { queue, raw, tag } of broker.unacknowledged.values()) {
          broker.unacknowledged.delete(tag)
          broker.lists.get(queue)?.push(raw)
        }
        broker.pushed.openUnsafe()
      })
    ),
    lookFor,
    /** Ids of tasks of which anything is kept. */
    lives: Effect.sync(() => [...broker.lives.ids()]),
    library,
    results,
    away,
    broken,
    unanswered,
    slow,
    spoilt,
    forget,
    database,
    forbidden,
    refusals,
    metric: (series: string) => Effect.map(metrics.expose, ({ body }) => valueOf(body, series)),
    seconds: (count: number) => TestClock.adjust(`${count} seconds`)
  }
})
export const makeWorld = makeWorldWith()

export const empty = { queued: 0, running: 0, scheduled: 0, dead: 0 }
