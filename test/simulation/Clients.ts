import { PubSub } from "effect"
import { message } from "../support.ts"
import { type Cluster, QUEUES } from "./Cluster.ts"
import { type Kind, kinds, weights } from "./kinds.ts"
import { idOf } from "./Records.ts"
import { stockTakes } from "./stock.ts"

/** A task a client waits for, and what it may rightly hear. */
export interface Sent {
  readonly id: string
  readonly kind: string
  /** Its seed, by which its requests are found in fal's ledger. */
  readonly seed?: number
  readonly saves?: boolean
  readonly notBefore?: number
  /** It need not be run any more from then on, if nothing was paid for it before. */
  readonly expires?: number
  /** Failures that are the client's own doing. */
  readonly fails?: ReadonlyArray<string>
  /** It exists only if these end well. */
  readonly after?: ReadonlyArray<string>
  /** It exists only if this one fails. */
  readonly afterFailure?: string
  /** Sent under the id of an earlier task, and when. */
  readonly reuses?: string
  readonly sentAt?: number
  /** It exists if this one, sent under an earlier id, was run. */
  readonly afterReuse?: string
  /** It comes when all of this group have ended, which are these. */
  readonly group?: string
  readonly parts?: ReadonlyArray<string>
  /** How many messages there are of it. */
  readonly copies?: number
  revoked?: boolean
}

type Properties = Readonly<Record<string, unknown>>

/** Everything clients do: good tasks and bad ones, later and never, twice and no more. */
export class Clients {
  readonly sent: Array<Sent> = []
  /** Messages that have no id to answer to. */
  unreadable = 0
  /** Messages on the queue, copies included. */
  #count = 0
  #stockIsQuick = false
  readonly cluster: Cluster

  constructor(cluster: Cluster) {
    this.cluster = cluster
  }

  /** Sends something that a stock worker takes before one of ours can. */
  sendToStock() {
    this.#stockIsQuick = true
    this.send()
    this.#stockIsQuick = false
  }

  send(wanted?: Kind) {
    const kind = wanted ?? this.cluster.dice.weighted(weights)
    const number = ++this.#count
    kinds[kind](this, { id: `${kind}${number}`, kind, seed: number * 1000 })
  }

  /** Orders one of the tasks revoked, whether it runs or not. */
  revoke(terminate: boolean) {
    const { air, dice } = this.cluster
    const known = this.sent.filter(
      ({ after, afterFailure, afterReuse, group, reuses }) =>
        (after ?? afterFailure ?? afterReuse ?? group ?? reuses) === undefined
    )
    if (known.length === 0) return
    const task = dice.pick(known)
    task.revoked = true
    this.cluster.note(`revokes ${task.id}${terminate ? " and terminates it" : ""}`, "client")
    this.cluster.run(
      PubSub.publish(air.said, {
        about: "control",
        routingKey: "",
        headers: { clock: 1 },
        body: { method: "revoke", arguments: { task_id: task.id, terminate, signal: "SIGTERM" } }
      })
    )
  }

  /** Sends a task; `change` is what only some senders put into a message. */
  push(
    sent: Sent,
    kwargs: Properties,
    over: Parameters<typeof message>[0] = {},
    change: (envelope: Envelope) => Properties = (envelope) => envelope
  ) {
    this.sent.push(sent)
    const { raw } = message({ id: sent.reuses ?? sent.id, task: "generate_model", kwargs, ...over })
    const changed = JSON.stringify(change(JSON.parse(raw) as Envelope)) // by `message`
    for (let copy = 0; copy < (sent.copies ?? 1); copy++) this.queue(changed)
    this.cluster.note(`sends ${sent.id}`, "client")
  }

  queue(raw: string) {
    const { broker, dice, records, redis, size, time } = this.cluster
    const queue = size.queues === QUEUES[0] ? QUEUES[0] : dice.pick(QUEUES)
    const list = broker.lists.get(queue) ?? []
    broker.lists.set(queue, list)
    list.unshift(raw)
    redis.wrote()
    const id = idOf(raw)
    if (id === undefined) this.unreadable++
    redis.noted(() => (id === undefined ? this.unreadable-- : records.astray.add(id)))
    if (this.#stockIsQuick) stockTakes(this.cluster)
    broker.pushed.openUnsafe()
    time.settle()
  }

  /** Whether a message of it is anywhere still: its worker died before it could acknowledge it. */
  isThere({ id }: Sent): boolean {
    const { broker } = this.cluster
    const raws = [...[...broker.lists.values()].flat(), ...[...broker.unacknowledged.values()].map(({ raw }) => raw)]
    return raws.some((raw) => idOf(raw) === id)
  }

  /** Says how many parts a chord has, which Redis may forget. */
  sized(group: string, size: number) {
    const { records, redis, results } = this.cluster
    this.cluster.run(results.setChordSize(group, size))
    redis.noted(() => records.astray.add(group))
  }
}

export interface Envelope extends Properties {
  readonly headers: Properties
  readonly properties: Properties & { readonly delivery_info: Properties }
}
