import { Effect, Option, Result } from "effect"
import { Catalogue, type Cost, costOf } from "../../services/Catalogue.ts"
import { DeadLetters } from "../../services/DeadLetters.ts"
import { type Booked, Ledger } from "../../services/Ledger.ts"
import { type Generation, Journal, type Unreadable } from "../../services/Journal.ts"
import { type Model, ModelLibrary } from "../../services/ModelLibrary.ts"
import { type Found, LOOKED_AT, QueueInspector } from "../../services/QueueInspector.ts"
import { ResultStore, type TaskResult } from "../../services/ResultStore.ts"
import { type Lived, TaskLives } from "../../services/TaskLives.ts"
import { type Answer, ask, type Until } from "./asking.ts"
import { type Letter, read } from "./deadLetter.ts"

/** Everything that is known of one task, wherever that is kept. */
export interface Facts {
  readonly taskId: string
  readonly life: ReadonlyArray<Lived>
  readonly generation: Generation | Unreadable | undefined
  readonly messages: ReadonlyArray<Found>
  readonly letters: ReadonlyArray<Letter>
  readonly result: TaskResult | undefined
  readonly row: Model | undefined
  /** Its paid requests, as far as the ledger has them: a request is entered there once its outcome is known. */
  readonly paid: ReadonlyArray<Booked>
  /** What its picture cost; undefined where there is none, or its price is not known. */
  readonly cost: Cost | undefined
  /** What could not be asked, or only in part. */
  readonly notReached: ReadonlyArray<{ readonly where: string; readonly why: string }>
}

/** Where a task is looked for. */
const PLACES = {
  life: "the lives kept on the broker",
  journal: "the journal",
  queue: "the queues and the unacknowledged messages",
  dead: "the dead letters",
  result: "the results",
  row: "model_library",
  ledger: "model_ledger"
} as const
type Place = keyof typeof PLACES
export const placesLookedAt = Object.values(PLACES)

/** The most dead letters that are looked through. */
const LETTERS = 1000
/** More ids than this are not listed. */
export const MOST_IDS = 10

type Generated = Extract<Generation, { readonly _tag: "Generated" }>

export type Search =
  | { readonly _tag: "One"; readonly facts: Facts }
  | { readonly _tag: "None"; readonly notReached: Facts["notReached"] }
  /** `more`: others than these begin so too. */
  | { readonly _tag: "Several"; readonly ids: ReadonlyArray<string>; readonly more: boolean }

const requestIdOf = (life: ReadonlyArray<Lived>, generation: Facts["generation"]) => {
  if (generation !== undefined && "requestId" in generation && generation.requestId !== null) return generation.requestId
  const last = life.findLast(({ event }) => event._tag === "PictureMade" || event._tag === "Submitted")?.event
  return last !== undefined && "requestId" in last ? last.requestId : undefined
}
/** The id of the row that a task's result names. */
const rowIdOf = (result: TaskResult | undefined, life: ReadonlyArray<Lived>) => {
  const value = result?.status === "SUCCESS" ? result.result : undefined
  const named = typeof value === "object" && value !== null && "saved" in value && "id" in value ? value["id"] : undefined
  if (typeof named === "string") return named
  const ended = life.findLast(({ event }) => event._tag === "Ended")?.event
  return ended?._tag === "Ended" ? ended.rowId : undefined
}

/** What was settled when the picture came; of an older worker's picture, what it costs by the list. */
const costOfPicture = (
  { cost, endpoint, input, picture: { billableUnits } }: Generated,
  priceOf: Catalogue["Service"]["priceOf"]
): Cost | undefined =>
  cost === undefined
    ? Option.getOrUndefined(Option.map(priceOf(endpoint), (price) => costOf(price, input, billableUnits)))
    : { amount: cost, source: billableUnits === null ? "estimate" : "units" }

/** Looks for a task by its whole id, else by the beginning of it. */
export const search = (wanted: string, until: Until) =>
  Effect.gen(function* () {
    const lives = yield* TaskLives
    const journal = yield* Journal
    const inspector = yield* QueueInspector
    const deadLetters = yield* DeadLetters
    const results = yield* ResultStore
    const library = yield* ModelLibrary
    const ledger = yield* Ledger
    const { priceOf } = yield* Catalogue

    const notReached = new Map<Place, string>()
    const heard = <A, B>(place: Place, { said }: Answer<A>, otherwise: B): A | B => {
      if (Result.isSuccess(said)) return said.success
      notReached.set(place, said.failure)
      return otherwise
    }
    const unreached = () => [...notReached].map(([place, why]) => ({ where: PLACES[place], why }))

    const inQueue = heard("queue", yield* ask(inspector.find(wanted, 1000), until), { found: [], all: true })
    if (!inQueue.all) notReached.set("queue", `only the first ${LOOKED_AT} messages of each were looked at`)
    const letters = heard("dead", yield* ask(deadLetters.list(LETTERS), until), []).map(read)

    const factsOf = Effect.fnUntraced(function* (taskId: string) {
      const asked = yield* Effect.all(
        {
          life: ask(lives.of(taskId), until),
          entry: ask(journal.find(taskId), until),
          result: ask(results.get(taskId), until),
          paid: ask(ledger.ofTask(taskId), until)
        },
        { concurrency: "unbounded" }
      )
      const life = heard("life", asked.life, [])
      const generation = Option.getOrUndefined(heard("journal", asked.entry, { entry: Option.none() }).entry)
      const result = Option.getOrUndefined(heard("result", asked.result, Option.none()))
      const paid = heard("ledger", asked.paid, [])
      const [rowId, falRequestId] = [rowIdOf(result, life), requestIdOf(life, generation)]
      const which = rowId !== undefined ? { id: rowId } : falRequestId !== undefined ? { falRequestId } : undefined
      const row = which === undefined ? Option.none() : heard("row", yield* ask(library.find(which), until), Option.none())
      return {
        taskId,
        life,
        generation,
        messages: inQueue.found.filter((one) => one.taskId === taskId),
        letters: letters.filter(({ task_id }) => task_id === taskId),
        result,
        row: Option.getOrUndefined(row),
        paid,
        cost: generation?._tag === "Generated" ? costOfPicture(generation, priceOf) : undefined,
        notReached: unreached()
      } satisfies Facts
    })
    const isKnown = ({ generation, letters, life, messages, paid, result }: Facts) =>
      [life, messages, letters, paid].some(({ length }) => length > 0) || generation !== undefined || result !== undefined

    const exact = yield* factsOf(wanted)
    if (isKnown(exact)) return { _tag: "One", facts: exact } as const
    const kept = heard("life", yield* ask(lives.beginning(wanted, MOST_IDS + 1), until), [])
    const ids = new Set([
      ...kept,
      ...inQueue.found.map(({ taskId }) => taskId),
      ...letters.flatMap(({ task_id }) => (task_id?.startsWith(wanted) === true ? [task_id] : []))
    ])
    const [first, ...others] = ids
    if (first === undefined) return { _tag: "None", notReached: unreached() } as const
    if (others.length > 0)
      return { _tag: "Several", ids: [...ids].toSorted().slice(0, MOST_IDS), more: ids.size > MOST_IDS } as const
    return { _tag: "One", facts: yield* factsOf(first) } as const
  })
