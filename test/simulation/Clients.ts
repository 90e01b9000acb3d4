import { PubSub } from "effect"
import { derivedId } from "../../src/programs/derivedId.ts"
import { message } from "../support.ts"
import type { Cluster } from "./Cluster.ts"
import { idOf } from "./Records.ts"

/** A task a client waits for, and what it may rightly hear. */
export interface Sent {
  readonly id: string
  readonly kind: string
  /** Its seed, by which its requests are found in fal's ledger. */
  readonly seed?: number
  readonly saves?: boolean
  readonly notBefore?: number
  /** Failures that are the client's own doing. */
  readonly fails?: ReadonlyArray<string>
  /** It exists only if this one ends well. */
  readonly after?: ReadonlyArray<string>
  /** It comes when all of this group have ended. */
  readonly group?: string
  revoked?: boolean
}

const five = { gender: "female", age_range: "25-35", body_type: "average", pose: "front standing", style: "professional" }
const TEMPLATES = ["one", "two", "three"]
const iso = (millis: number) => new Date(millis).toISOString().replace("Z", "+00:00")

/** Everything clients do: good tasks and bad ones, later and never, twice and no more. */
export class Clients {
  readonly sent: Array<Sent> = []
  /** Messages that have no id to answer to. */
  unreadable = 0
  /** Messages on the queue, copies included. */
  #count = 0
  readonly #cluster: Cluster

  constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  send(wanted?: "picture") {
    const { dice } = this.#cluster
    const chosen = dice.weighted({
      picture: 10,
      version: 2,
      unsaved: 1,
      edit: 1,
      chain: 2,
      chord: 1,
      batch: 2,
      later: 2,
      expiring: 1,
      twice: 2,
      poison: 0.5,
      health: 1,
      wrong: 1,
      unknown: 0.5,
      unreadable: 0.5
    })
    const kind = wanted ?? chosen
    const id = `${kind}${++this.#count}`
    const seed = this.#count * 1000
    const { now } = this.#cluster.time
    const picture = { ...five, template_id: dice.pick(TEMPLATES), seed }
    const source = { template_id: "one", image_url: "https://fal.example/source.jpg" }
    switch (kind) {
      case "picture":
      case "twice":
      case "poison": {
        if (kind === "poison") this.#cluster.poison.add(seed)
        const raw = this.#push({ id, kind, seed, saves: true, fails: kind === "poison" ? ["WorkerLostError"] : [] }, picture)
        if (kind === "twice") this.#queue(raw)
        return
      }
      case "version":
        this.#push({ id, kind, seed, saves: true, fails: ["VersionExists"] }, { ...picture, version: dice.between(1, 3) })
        return
      case "unsaved":
        this.#push({ id, kind, seed }, { ...picture, save: false })
        return
      case "edit":
        this.#push({ id, kind, seed, saves: true }, { prompt: "in red", model: source, seed }, { task: "edit_model" })
        return
      case "chain": {
        const next = `${id}-edit`
        const edit = this.#signature("edit_model", next, { prompt: "in red", seed: seed + 1 })
        this.#push({ id, kind, seed, saves: true }, picture, { embed: { chain: [edit] } })
        this.sent.push({ id: next, kind: "edit", seed: seed + 1, saves: true, after: [id] })
        return
      }
      case "chord": {
        const [group, body] = [`${id}-group`, `${id}-body`]
        const header = [0, 1].map((index) => `${id}-${index}`)
        this.#cluster.run(this.#cluster.results.setChordSize(group, header.length))
        this.#written(group)
        const chord = this.#signature("health_check", body, {}, true)
        for (const [index, member] of header.entries())
          this.#push(
            { id: member, kind, seed: seed + index, saves: true },
            { ...picture, seed: seed + index },
            { group, groupIndex: index, embed: { chord } }
          )
        this.sent.push({ id: body, kind: "health", after: header, group })
        return
      }
      case "batch": {
        // Of few combinations, because to plan with all of them takes longer than a whole run.
        const few = { gender: "male", age_range: "20-30", body_type: "slim", style: "casual" }
        const count = dice.between(2, 3)
        this.#push({ id, kind }, { ...few, count, seed }, { task: "batch_generate" })
        for (let at = 0; at < count; at++)
          this.sent.push({ id: derivedId(id, String(at)), kind: "child", seed: seed + at, saves: true, after: [id] })
        return
      }
      case "later": {
        const notBefore = now + dice.between(1, 40) * 1000
        this.#push({ id, kind, seed, saves: true, notBefore }, picture, { eta: iso(notBefore) })
        return
      }
      case "expiring":
        this.#push({ id, kind, seed, saves: true, revoked: true }, picture, { expires: iso(now + dice.between(0, 10) * 1000) })
        return
      case "health":
        this.#push({ id, kind }, {}, { task: "health_check" })
        return
      case "wrong":
        this.#push({ id, kind, seed, fails: ["ValidationError"] }, { ...picture, gender: "robot", colour: "red" })
        return
      case "unknown":
        this.#push({ id, kind, fails: ["NotRegistered"] }, {}, { task: "make_coffee" })
        return
      case "unreadable":
        this.#queue(`not a message ${id}`)
    }
  }

  /** Orders one of the tasks revoked, whether it runs or not. */
  revoke(terminate: boolean) {
    const { air, dice } = this.#cluster
    const known = this.sent.filter(({ kind, after }) => kind !== "chord" && after === undefined)
    if (known.length === 0) return
    const task = dice.pick(known)
    task.revoked = true
    this.#cluster.note(`revokes ${task.id}${terminate ? " and terminates it" : ""}`, "client")
    this.#cluster.run(
      PubSub.publish(air.said, {
        about: "control",
        routingKey: "",
        headers: { clock: 1 },
        body: { method: "revoke", arguments: { task_id: task.id, terminate, signal: "SIGTERM" } }
      })
    )
  }

  #signature(task: string, id: string, kwargs: object, immutable = false) {
    return { task, args: [], kwargs, options: { task_id: id, reply_to: "reply" }, subtask_type: null, immutable }
  }

  #push(sent: Sent, kwargs: Record<string, unknown>, over: Parameters<typeof message>[0] = {}) {
    this.sent.push(sent)
    const { raw } = message({ id: sent.id, task: "generate_model", kwargs, ...over })
    this.#queue(raw)
    this.#cluster.note(`sends ${sent.id}`, "client")
    return raw
  }

  /** If Redis forgets what was just written, this may never come. */
  #written(id: string) {
    const { records, redis } = this.#cluster
    redis.noted(() => records.astray.add(id))
  }

  #queue(raw: string) {
    const { broker, records, redis, time } = this.#cluster
    const list = broker.lists.get("generator_queue") ?? []
    broker.lists.set("generator_queue", list)
    list.unshift(raw)
    redis.wrote()
    const id = idOf(raw)
    if (id === undefined) this.unreadable++
    redis.noted(() => (id === undefined ? this.unreadable-- : records.astray.add(id)))
    broker.pushed.openUnsafe()
    time.settle()
  }
}
