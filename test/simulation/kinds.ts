/** What clients send, by name. */
import { Option } from "effect"
import { derivedId } from "../../src/wire/derivedId.ts"
import type { Clients, Envelope, Sent } from "./Clients.ts"

const five = { gender: "female", age_range: "25-35", body_type: "average", pose: "front standing", style: "professional" }
const TEMPLATES = ["one", "two", "three"]
const SOURCE = { template_id: "one", image_url: "https://fal.example/source.jpg" }
const iso = (millis: number) => new Date(millis).toISOString().replace("Z", "+00:00")

interface New {
  readonly id: string
  readonly kind: string
  readonly seed: number
}
type Send = (clients: Clients, task: New) => void

const picture = ({ cluster }: Clients, seed: number) => ({ ...five, template_id: cluster.dice.pick(TEMPLATES), seed })

const signature = (
  task: string,
  id: string,
  kwargs: object,
  more: { readonly immutable?: boolean; readonly options?: object } = {}
) => ({
  task,
  args: [],
  kwargs,
  options: { task_id: id, reply_to: "reply", ...more.options },
  subtask_type: null,
  immutable: more.immutable ?? false
})
/** Something small that comes afterwards, whatever came before. */
const health = (id: string, options: object = {}) => signature("health_check", id, {}, { immutable: true, options })

const expect = (clients: Clients, sent: Sent) => void clients.sent.push(sent)

const plain: Send = (clients, task) => clients.push({ ...task, saves: true }, picture(clients, task.seed))

/** A picture in whose way its worker dies. */
const deadly: Send = (clients, task) =>
  clients.push({ ...task, saves: true, fails: ["WorkerLostError"] }, picture(clients, task.seed))

/** As newer versions of ours, of kombu and of Celery may write it: more of everything. */
const newer = ({ headers, properties, ...rest }: Envelope) => ({
  ...rest,
  headers: { ...headers, replaced_by: null, "model-generator": { version: "9.0.0" } },
  properties: { ...properties, message_id: "m", delivery_info: { ...properties.delivery_info, stream: 7 } },
  signed: false
})
/** Sent by an exchange of the sender's own to a queue that has another name there. */
const foreign = ({ properties, ...rest }: Envelope) => ({
  ...rest,
  properties: { ...properties, delivery_info: { exchange: "fashion", routing_key: "pictures.models.new" } }
})

export const kinds = {
  picture: plain,
  unsaved: (clients, task) => clients.push(task, { ...picture(clients, task.seed), save: false }),
  version: (clients, task) =>
    clients.push(
      { ...task, saves: true, fails: ["VersionExists"] },
      { ...picture(clients, task.seed), version: clients.cluster.dice.between(1, 3) }
    ),
  edit: (clients, task) =>
    clients.push({ ...task, saves: true }, { prompt: "in red", model: SOURCE, seed: task.seed }, { task: "edit_model" }),
  twice: (clients, task) => clients.push({ ...task, saves: true, copies: 2 }, picture(clients, task.seed)),
  later: (clients, task) => {
    const { dice, time } = clients.cluster
    const notBefore = time.now + dice.between(1, 40) * 1000
    clients.push({ ...task, saves: true, notBefore }, picture(clients, task.seed), { eta: iso(notBefore) })
  },
  expiring: (clients, task) => {
    const { dice, time } = clients.cluster
    const expires = time.now + dice.between(0, 20) * 1000
    clients.push({ ...task, saves: true, expires }, picture(clients, task.seed), { expires: iso(expires) })
  },
  /** It expires while its picture is being made. */
  outlived: (clients, task) => {
    const expires = clients.cluster.time.now + 8000
    clients.push({ ...task, saves: true, expires }, picture(clients, task.seed), { expires: iso(expires) })
  },
  newer: (clients, task) => clients.push({ ...task, saves: true }, picture(clients, task.seed), {}, newer),
  foreign: (clients, task) => clients.push({ ...task, saves: true }, picture(clients, task.seed), {}, foreign),
  health: (clients, { id, kind }) => clients.push({ id, kind }, {}, { task: "health_check" }),
  batch: (clients, { id, kind, seed }) => {
    // Of few combinations, because to plan with all of them takes longer than a whole run.
    const few = { gender: "male", age_range: "20-30", body_type: "slim", style: "casual" }
    const count = clients.cluster.dice.between(2, 3)
    clients.push({ id, kind }, { ...few, count, seed }, { task: "batch_generate" })
    for (let at = 0; at < count; at++)
      expect(clients, { id: derivedId(id, String(at)), kind: "child", seed: seed + at, saves: true, after: [id] })
  },

  chain: (clients, task) => {
    const [next, last] = [`${task.id}-edit`, `${task.id}-last`]
    const edit = signature("edit_model", next, { prompt: "in red", seed: task.seed + 1 })
    clients.push({ ...task, saves: true }, picture(clients, task.seed), { embed: { chain: [health(last), edit] } })
    expect(clients, { id: next, kind: "edit", seed: task.seed + 1, saves: true, after: [task.id] })
    expect(clients, { id: last, kind: "health", after: [next] })
  },
  linked: (clients, task) => {
    const [link, errback] = [`${task.id}-link`, `${task.id}-errback`]
    const embed = { callbacks: [health(link)], errbacks: [health(errback)] }
    clients.push({ ...task, saves: true }, picture(clients, task.seed), { embed })
    expect(clients, { id: link, kind: "health", after: [task.id] })
    expect(clients, { id: errback, kind: "health", afterFailure: task.id })
  },
  errback: (clients, task) => {
    const errback = `${task.id}-errback`
    clients.push(
      { ...task, fails: ["ValidationError"] },
      { ...picture(clients, task.seed), gender: "robot" },
      { embed: { errbacks: [health(errback)] } }
    )
    expect(clients, { id: errback, kind: "health", afterFailure: task.id })
  },
  group: (clients, task) => {
    const members = [0, 1].map((at) => `${task.id}-${at}`)
    const group = {
      ...signature("celery.group", `${task.id}-group`, { tasks: members.map((id) => health(id)) }),
      subtask_type: "group"
    }
    clients.push({ ...task, saves: true }, picture(clients, task.seed), { embed: { chain: [group] } })
    for (const id of members) expect(clients, { id, kind: "health", after: [task.id] })
  },
  chord: (clients, { id, kind, seed }) => {
    const [group, body] = [`${id}-group`, `${id}-body`]
    const header = [0, 1].map((at) => `${id}-${at}`)
    clients.sized(group, header.length)
    for (const [groupIndex, member] of header.entries()) {
      const own = seed + groupIndex
      const over = { group, groupIndex, embed: { chord: health(body) } }
      clients.push({ id: member, kind, seed: own, saves: true }, picture(clients, own), over)
    }
    expect(clients, { id: body, kind: "health", after: header, group })
  },
  brokenChord: (clients, { id, kind, seed }) => {
    const [group, body, errback] = [`${id}-group`, `${id}-body`, `${id}-errback`]
    const chord = health(body, { link_error: [health(errback)] })
    const parts = [`${id}-0`, `${id}-1`]
    clients.sized(group, 2)
    const over = { group, embed: { chord } }
    clients.push({ id: `${id}-0`, kind, seed, saves: true }, picture(clients, seed), { ...over, groupIndex: 0 })
    const wrong = { ...picture(clients, seed + 1), gender: "robot" }
    clients.push({ id: `${id}-1`, kind, seed: seed + 1, fails: ["ValidationError"] }, wrong, { ...over, groupIndex: 1 })
    expect(clients, { id: body, kind: "health", fails: ["ChordError"], group, parts })
    expect(clients, { id: errback, kind: "health", afterFailure: body, group, parts })
  },

  /** The id of a task that has ended, with other arguments: another task, though its result may not be told any more. */
  reused: (clients, task) => {
    const { dice, results } = clients.cluster
    const hasEnded = ({ id }: Sent) => Option.exists(clients.cluster.run(results.get(id)), ({ status }) => status === "SUCCESS")
    const ended = clients.sent.filter(
      (sent) => ["picture", "linked", "chain"].includes(sent.kind) && hasEnded(sent) && !clients.isThere(sent)
    )
    if (ended.length === 0) return plain(clients, task)
    const [reuses, link] = [(ended.find(({ kind }) => kind !== "picture") ?? dice.pick(ended)).id, `${task.id}-link`]
    clients.push({ ...task, reuses, sentAt: clients.cluster.time.now }, picture(clients, task.seed), {
      embed: { callbacks: [health(link)] }
    })
    expect(clients, { id: link, kind: "health", afterReuse: task.id })
  },

  // What follows could not be sent by anybody: it is due in fifty million years.
  oddLink: (clients, task) => {
    const embed = { callbacks: [health(`${task.id}-link`, { countdown: 1.7e15 })] }
    clients.push({ ...task, saves: true }, picture(clients, task.seed), { embed })
  },
  oddErrback: (clients, task) => {
    const embed = { errbacks: [health(`${task.id}-errback`, { countdown: 1.7e15 })] }
    clients.push({ ...task, fails: ["ValidationError"] }, { ...picture(clients, task.seed), gender: "robot" }, { embed })
  },
  /** Its result cannot be stored: the store breaks of it. */
  unstorable: (clients, task) => {
    clients.cluster.unstorable.add(task.id)
    plain(clients, task)
  },

  wrong: (clients, task) =>
    clients.push({ ...task, fails: ["ValidationError"] }, { ...picture(clients, task.seed), gender: "robot", colour: "red" }),
  unknown: (clients, { id, kind }) => clients.push({ id, kind, fails: ["NotRegistered"] }, {}, { task: "make_coffee" }),
  unreadable: (clients, { id }) => clients.queue(`not a message ${id}`),
  /** Kills the first five that look at its request: its picture is paid, and somebody brings it in. */
  poison: (clients, task) => {
    clients.cluster.poison.set(task.seed, 5)
    plain(clients, task)
  },
  /** Kills whoever works on it, before anything is paid. */
  heavy: (clients, task) => {
    clients.cluster.heavy.add(task.id)
    deadly(clients, task)
  },
  /** Both at once: the client that waits for the task cannot even be told that it is given up. */
  doomed: (clients, task) => {
    clients.cluster.heavy.add(task.id)
    clients.cluster.unstorable.add(task.id)
    deadly(clients, task)
  }
} satisfies Readonly<Record<string, Send>>
export type Kind = keyof typeof kinds

export const weights: Readonly<Record<Kind, number>> = {
  picture: 9,
  unsaved: 1,
  version: 2,
  edit: 1,
  twice: 2,
  later: 2,
  expiring: 1.5,
  outlived: 0,
  newer: 0.7,
  foreign: 0.7,
  health: 1,
  batch: 1.5,
  chain: 1.5,
  linked: 1.5,
  errback: 0.7,
  group: 0.7,
  chord: 1,
  brokenChord: 0.7,
  oddLink: 0.5,
  oddErrback: 0.5,
  unstorable: 0.4,
  reused: 1.2,
  wrong: 0.7,
  unknown: 0.4,
  unreadable: 0.4,
  poison: 0.5,
  heavy: 0.5,
  doomed: 0.3
}
