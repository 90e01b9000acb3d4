import { Clock, Effect, Option, Schema } from "effect"
import type { Heard } from "../../services/Fleet.ts"
import { Publisher } from "../../services/Publisher.ts"
import * as PythonJson from "../../wire/PythonJson.ts"
import { WorkerIdentity } from "../../services/WorkerIdentity.ts"
import * as Bounded from "../../wire/Bounded.ts"
import * as NewMessage from "../celery/NewMessage.ts"
import { derivedId } from "../../wire/derivedId.ts"
import type { Events } from "./Events.ts"
import { nullish } from "../../wire/nullish.ts"
import type { Lamport } from "./Lamport.ts"

/** The fields of another worker's event that are read. */
const Event = Schema.Struct({
  type: Schema.String,
  hostname: Schema.NonEmptyString.check(Schema.isMaxLength(1000)),
  pid: nullish(Schema.Int),
  clock: nullish(Schema.Int),
  freq: nullish(Schema.Finite),
  id: nullish(Schema.String.check(Schema.isMaxLength(1000))),
  topic: nullish(Schema.String.check(Schema.isMaxLength(1000))),
  action: nullish(Schema.Unknown)
})
type Event = typeof Event.Type
const decodeEvent = Schema.decodeUnknownOption(Event)

const Action = Schema.Struct({
  task: Schema.NonEmptyString,
  args: nullish(Schema.Array(Schema.Unknown)),
  kwargs: nullish(Bounded.Properties),
  options: nullish(Schema.Struct({ task_id: nullish(Schema.String), queue: nullish(Schema.String) }))
})
const decodeAction = Schema.decodeUnknownOption(Action)

interface Candidate {
  readonly clock: number
  readonly process: string
  readonly topic: string
  readonly action: unknown
}
interface Election {
  readonly candidates: Array<Candidate>
  acks: number
  ordered: boolean
}

/** The most elections, candidates and neighbours that are remembered: no real fleet has more. */
const MOST = 1000
/** The longest action of an election, which is a call of a task (characters of JSON). */
const LONGEST_ACTION = 65_536

/**
 * Handles the events of other workers, for the clock and for elections. A worker that sends heartbeats and never acknowledges an
 * election would block it, and one that does not stand for election makes a lone stock candidate crash; so this one does both.
 */
export const makeGossip = Effect.fnUntraced(function* (events: Events, lamport: Lamport) {
  const me = yield* WorkerIdentity
  const publisher = yield* Publisher
  /** Until when a neighbour is thought alive (Unix milliseconds). */
  const neighbours = new Map<string, number>()
  const elections = new Map<string, Election>()
  const election = (id: string) => {
    const known = elections.get(id) ?? { candidates: [], acks: 0, ordered: false }
    elections.set(id, known)
    for (const oldest of elections.keys()) if (elections.size > MOST) elections.delete(oldest)
    return known
  }

  /** The one with the lowest clock, then the first by name, as kombu sorts them. */
  const decide = Effect.fnUntraced(function* (id: string, { candidates }: Election) {
    elections.delete(id)
    const [leader] = candidates.toSorted((a, b) => a.clock - b.clock || (a.process < b.process ? -1 : 1))
    yield* Effect.logInfo(`node ${leader?.process} elected`, { election: id })
    if (leader?.process !== `${me.name}.${me.pid}` || leader.topic !== "task") return
    const action = Option.getOrUndefined(decodeAction(leader.action))
    if (action === undefined) return yield* Effect.logWarning("won an election whose action cannot be read", { election: id })
    const task = {
      id: action.options?.task_id ?? derivedId(id, "elected"),
      task: action.task,
      args: action.args ?? [],
      kwargs: action.kwargs ?? {},
      queue: action.options?.queue || "celery", // Celery's default queue
      tag: derivedId(id, "elected tag"),
      replyTo: derivedId(id, "elected reply")
    }
    yield* Effect.ignore(publisher.publish([NewMessage.encode(task, me.name)]))
  })

  const onEvent = Effect.fnUntraced(function* (event: Event) {
    const now = yield* Clock.currentTimeMillis
    if (event.type === "worker-elect" && typeof event.id === "string" && typeof event.clock === "number") {
      const { action, clock, hostname, id, pid } = event
      const { candidates } = election(id)
      if (candidates.length >= MOST || PythonJson.stringify(action ?? null).length > LONGEST_ACTION)
        return yield* Effect.logWarning("an election candidate is ignored: there are too many, or its action is too long", {
          election: id
        })
      candidates.push({ clock, process: `${hostname}.${pid}`, topic: event.topic ?? "", action })
      return yield* Effect.ignore(events.tell("worker-elect-ack", { id }))
    }
    if (event.type === "worker-elect-ack" && typeof event.id === "string") {
      const known = elections.get(event.id)
      if (known === undefined) return
      known.acks++
      const alive = [...neighbours.values()].filter((until) => until > now).length
      if (known.ordered && known.acks >= Math.max(alive, 1) && known.candidates.length > alive) yield* decide(event.id, known)
      return
    }
    if (event.hostname === me.name) lamport.forward()
    else {
      lamport.adjust(event.clock)
      if (event.type === "worker-offline" || neighbours.size > MOST) neighbours.delete(event.hostname)
      else neighbours.set(event.hostname, now + 2000 * Math.min(Math.max(event.freq ?? 60, 0), 3600))
    }
  })

  return {
    heard: (heard: Heard) =>
      Effect.forEach(Array.isArray(heard.body) ? heard.body : [heard.body], (one: unknown) =>
        Option.match(decodeEvent(one), { onNone: () => Effect.void, onSome: onEvent })
      ),
    /** Stands for election, as every worker does that hears the order. */
    stand: (id: string, topic: string, action: unknown) =>
      Effect.suspend(() => {
        election(id).ordered = true
        return Effect.ignore(events.tell("worker-elect", { id, topic, action, cver: 1 }))
      })
  }
})
export type Gossip = Effect.Success<ReturnType<typeof makeGossip>>
