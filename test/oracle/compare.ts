/** What two workers made of the same messages, with all that must differ taken out, and where the rest differs. */
import bzip2 from "seek-bzip"
import { isDeepStrictEqual } from "node:util"
import { inflateSync } from "node:zlib"
import * as PythonJson from "../../src/wire/PythonJson.ts"
import { isFinal } from "../../src/services/ResultStore.ts"
import type { Case, Fields, Key, Seen } from "./side.ts"

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const META = "celery-task-meta-"
const isRecord = (value: unknown): value is Fields => typeof value === "object" && value !== null && !Array.isArray(value)
const record = (value: unknown): Fields => (isRecord(value) ? value : {})
const attempt = (text: string): unknown => {
  try {
    return PythonJson.parse(text)
  } catch {
    return text
  }
}

/** What a worker may send on packed. */
const unpacked = (bytes: Buffer, compression: unknown): string => {
  try {
    if (compression === "application/x-gzip") return inflateSync(bytes).toString()
    if (compression !== "application/x-bz2") return bytes.toString()
    const plain: Array<number> = []
    bzip2.decode(bytes, { writeByte: (byte) => plain.push(byte) })
    return Buffer.from(plain).toString()
  } catch {
    return bytes.toString() // bent
  }
}

/** A message with its body as a value. */
const opened = (envelope: Fields, packed: Packed): Fields => {
  const encoded = record(envelope["properties"])["body_encoding"] === "base64"
  const body = String(envelope["body"])
  const text =
    packed.get(body) ?? unpacked(Buffer.from(body, encoded ? "base64" : "utf8"), record(envelope["headers"])["compression"])
  return { ...envelope, body: withoutReplyTo(attempt(text)) }
}

/** The texts of packed bodies. A worker leaves a body packed as it came, or sends it unpacked. */
type Packed = ReadonlyMap<string, string>
const packedIn = (cases: ReadonlyArray<Case>): Packed =>
  new Map(
    cases.flatMap(({ pushed }) =>
      pushed.flatMap(({ body, raw }) => (body === null ? [] : [[String(record(attempt(raw))["body"]), body] as const]))
    )
  )

/** Signatures say which process made them. */
const withoutReplyTo = (given: unknown): unknown =>
  Array.isArray(given)
    ? given.map(withoutReplyTo)
    : isRecord(given)
      ? Object.fromEntries(
          Object.entries(given).map(([key, inner]) => [key, key === "reply_to" ? "made" : withoutReplyTo(inner)])
        )
      : given

interface Left {
  readonly id: string
  readonly where: string
  readonly message: Fields
}

/** Messages still in the broker: in lists, or held. */
const leftIn = (broker: ReadonlyArray<Key>, packed: Packed): ReadonlyArray<Left> =>
  broker.flatMap(({ content, name, type }) => {
    const raws = type === "list" ? (content as ReadonlyArray<string>) : name === "unacked" ? Object.values(record(content)) : []
    if (name.startsWith("model-generator.")) return []
    return raws.map((text) => {
      const value = attempt(String(text))
      const envelope = opened(record(Array.isArray(value) ? value[0] : value), packed)
      return { id: String(record(envelope["headers"])["id"]), where: name, message: envelope }
    })
  })

/** The same names on both sides for ids that a worker makes up: by the way that leads to them from those it was given. */
const named = (cases: ReadonlyArray<Case>, seen: Seen, packed: Packed) => {
  const names = new Map<string, string>()
  for (const [at, { keys, kind, pushed }] of cases.entries()) {
    let count = 0
    const name = (id: string) => {
      if (!names.has(id)) names.set(id, `${kind} ${at}.${count++}`)
    }
    for (const { raw } of pushed) {
      const message = opened(record(attempt(raw)), packed)
      const id = record(message["headers"])["id"] ?? record(message["properties"])["correlation_id"]
      if (typeof id === "string") name(id)
      for (const found of PythonJson.stringify(message["body"]).match(UUID) ?? []) name(found)
      const group = record(message["headers"])["group"]
      if (typeof group === "string") name(group)
    }
    for (const { key } of keys) for (const found of key.match(UUID) ?? []) name(found)
  }

  const known = new Map<
    string,
    { readonly parent: unknown; readonly group: unknown; readonly text: string; readonly children: unknown }
  >()
  for (const { content, name } of seen.backend) {
    if (!name.startsWith(META)) continue
    const document = record(attempt(String(content)))
    known.set(name.slice(META.length), {
      parent: document["parent_id"],
      group: document["group_id"],
      children: document["children"],
      text: `${String(document["status"])} ${PythonJson.stringify(document["result"])}`.replaceAll(UUID, "?")
    })
  }
  for (const { id, message, where } of leftIn(seen.broker, packed)) {
    const headers = record(message["headers"])
    if (!known.has(id))
      known.set(id, {
        parent: headers["parent_id"],
        group: headers["group"],
        children: [],
        text: `${where} ${String(headers["task"])} ${PythonJson.stringify(message["body"])}`.replaceAll(UUID, "?")
      })
  }
  for (let before = -1; before !== names.size;) {
    before = names.size
    const walk = (tuple: unknown, name: string): void => {
      if (!Array.isArray(tuple) || !Array.isArray(tuple[0])) return
      const id: unknown = tuple[0][0]
      if (typeof id === "string" && !names.has(id)) names.set(id, name)
      if (Array.isArray(tuple[1])) tuple[1].forEach((inner, at) => walk(inner, `${name}.${at}`))
    }
    for (const [id, { children, text }] of known) {
      const name = names.get(id)
      // The children of a failed chord's body are there by chance; as orphans they have the same name on both sides.
      if (name !== undefined && Array.isArray(children) && !text.startsWith("FAILURE"))
        children.forEach((tuple, at) => walk(tuple, `${name} > ${at}`))
    }
    for (const { id, message } of leftIn(seen.broker, packed)) {
      const name = names.get(id)
      if (name === undefined) continue
      const inside = (PythonJson.stringify(message["body"]).match(UUID) ?? []).filter((one) => !names.has(one))
      for (const [at, one] of [...new Set(inside)].entries()) names.set(one, `${name} ~ ${at}`)
      const group = record(message["headers"])["group"]
      if (typeof group === "string" && !names.has(group)) names.set(group, `${name} ~ group`)
    }
    if (before !== names.size) continue
    const orphans = [...known]
      .filter(([id, { parent }]) => !names.has(id) && typeof parent === "string" && names.has(parent))
      .sort(([, a], [, b]) => (a.text < b.text ? -1 : a.text > b.text ? 1 : 0))
    const counts = new Map<string, number>()
    for (const [id, { group, parent }] of orphans) {
      const from = names.get(String(parent))!
      const at = counts.get(from) ?? 0
      counts.set(from, at + 1)
      names.set(id, `${from} ! ${at}`)
      if (typeof group === "string" && !names.has(group)) names.set(group, `${from} ! group`)
    }
  }
  return names
}

/** A time by its form only; Python leaves out a fraction that happens to be nothing. */
const zeros = (text: unknown) => (typeof text === "string" ? text.replaceAll(/\d/g, "0").replace(".000000", "") : text)
const presence = (text: unknown) => (typeof text === "string" ? "text" : text)
const VOLATILE = new Set(["clock", "timestamp", "pid", "hostname", "utcoffset"])
const MADE = {
  image_url: "made",
  thumbnail_url: "made",
  fal_request_id: "made",
  processing_time_ms: "made",
  cost_usd: "made",
  cost_source: "made"
}
/** What our tasks and their doubles must say differently. */
const value = (result: unknown): unknown => {
  if (!isRecord(result)) return result
  if ("uptime_s" in result) return Object.keys(result)
  if ("pid" in result) return { ...result, pid: typeof result["pid"] }
  if ("fal_request_id" in result) return { ...result, ...MADE, id: result["id"] === null ? null : "made", seed: "made" }
  if (result["exc_type"] === "ValidationError" || result["exc_type"] === "ChordError") {
    // The double names the same fields, in words of its own.
    return { ...result, exc_message: (result["exc_message"] as ReadonlyArray<unknown>).map((text) => fieldsIn(String(text))) }
  }
  return result
}
const fieldsIn = (text: string) =>
  text.includes("ValidationError") || /^\w+: /.test(text)
    ? [...text.matchAll(/(?:^|; |\('|\(")(\w+): /g)].map(([, field]) => field).sort()
    : text

export interface View {
  readonly states: ReadonlyArray<unknown>
  /** What was told on the way: STARTED, RETRY. */
  readonly before: ReadonlyArray<Fields>
  readonly document: Fields | undefined
  readonly events: ReadonlyArray<Fields>
  readonly left: ReadonlyArray<Fields>
}

export interface Views {
  readonly tasks: ReadonlyMap<string, View>
  /** Everything else in Redis. */
  readonly keys: ReadonlyMap<string, unknown>
  readonly contents: ReadonlyMap<string, Fields>
}

const lifetime = (ttl: number) => (ttl < 0 ? "for ever" : ttl > 86_000 && ttl <= 86_400 ? "a day" : `${ttl} s`)

export const view = (cases: ReadonlyArray<Case>, seen: Seen): Views => {
  const packed = packedIn(cases)
  const names = named(cases, seen, packed)
  const odd = [...names.keys()].filter((id) => !UUID.test(id) && ((UUID.lastIndex = 0), true))
  const text = (given: string) => {
    let out = given.replaceAll(UUID, (id) => names.get(id) ?? id)
    for (const id of odd) out = out.replaceAll(id, names.get(id)!)
    return out
  }
  const rename = (given: unknown): unknown =>
    typeof given === "string"
      ? text(given)
      : Array.isArray(given)
        ? given.map(rename)
        : isRecord(given)
          ? Object.fromEntries(Object.entries(given).map(([key, inner]) => [key, rename(inner)]))
          : given
  const nameOf = (id: string) => names.get(id) ?? `unknown ${id}`

  interface Mutable {
    states: Array<unknown>
    before: Array<Fields>
    document: Fields | undefined
    events: Array<Fields>
    left: Array<Fields>
  }
  const tasks = new Map<string, Mutable>()
  const task = (id: string) => {
    const name = nameOf(id)
    const found = tasks.get(name) ?? { states: [], before: [], document: undefined, events: [], left: [] }
    tasks.set(name, found)
    return found
  }
  const tidied = (document: Fields) =>
    rename({
      ...document,
      fields: Object.keys(document),
      result: value(document["result"]),
      date_done: zeros(document["date_done"]),
      traceback: presence(document["traceback"]),
      ...(Array.isArray(document["args"]) ? { args: document["args"].map(value) } : {})
    }) as Fields
  for (const { document, id } of seen.published) {
    task(id).states.push(document["status"])
    if (document["status"] === "STARTED" || document["status"] === "RETRY") task(id).before.push(tidied(document))
  }
  for (const { content, name, ttl } of seen.backend) {
    if (!name.startsWith(META)) continue
    task(name.slice(META.length)).document = { ...tidied(record(attempt(String(content)))), kept: lifetime(ttl) }
  }
  for (const event of seen.events) {
    const fields = Object.fromEntries(Object.entries(event).filter(([key]) => !VOLATILE.has(key)))
    const again = typeof event["retries"] === "number" && event["retries"] > 0
    const made = /thumbnail_url|uptime_s|group_id/.test(String(event["result"]))
    task(String(event["uuid"])).events.push(
      rename({
        ...fields,
        ...("runtime" in fields ? { runtime: typeof fields["runtime"] } : {}),
        ...("traceback" in fields ? { traceback: presence(fields["traceback"]) } : {}),
        ...(again ? { eta: zeros(fields["eta"]) } : {}),
        ...(made ? { result: "made" } : {}),
        ...(String(fields["args"]).includes("thumbnail_url") ? { args: "made" } : {}),
        ...("exception" in fields ? { exception: tidyException(String(fields["exception"])) } : {})
      }) as Fields
    )
  }
  for (const { id, message, where } of leftIn(seen.broker, packed)) {
    const headers = record(message["headers"])
    const properties = record(message["properties"])
    // Made by the worker, when it was.
    const again = typeof headers["parent_id"] === "string" || (typeof headers["retries"] === "number" && headers["retries"] > 0)
    const { delivery_tag: tag, ...others } = properties
    task(id).left.push(
      rename({
        where,
        ...message,
        headers: {
          ...headers,
          ...(again ? { eta: zeros(headers["eta"]), expires: zeros(headers["expires"]) } : {}),
          ...("origin" in headers ? { origin: "made" } : {})
        },
        properties: {
          ...others,
          delivery_tag: typeof tag,
          ...("origin" in others ? { origin: "made" } : {}),
          ...("reply_to" in others ? { reply_to: "made" } : {}),
          ...("expiration" in others ? { expiration: zeros(others["expiration"]) } : {})
        }
      }) as Fields
    )
  }
  const keys = new Map<string, unknown>()
  for (const [db, all] of [
    ["broker", seen.broker],
    ["backend", seen.backend]
  ] as const) {
    for (const { content, name, ttl, type } of all) {
      // Whether there is a document is compared with the task it is of.
      if (name.startsWith("model-generator.") || name.startsWith(META)) continue
      const about: Record<string, unknown> = { type, kept: lifetime(ttl) }
      // Times, tags, node names and process ids are in the others.
      if (db === "backend")
        about["content"] = rename(
          typeof content === "string" ? attempt(content) : (content as ReadonlyArray<string>).map(attempt)
        )
      if (type === "list") about["length"] = (content as ReadonlyArray<string>).length
      keys.set(`${db} ${text(name)}`, about)
    }
  }
  const contents = new Map<string, Fields>()
  for (const { pushed } of cases) {
    for (const { raw } of pushed) {
      const message = opened(record(attempt(raw)), packed)
      const id = record(message["headers"])["id"] ?? record(message["properties"])["correlation_id"]
      contents.set(nameOf(String(id)), message)
    }
  }
  return { tasks, keys, contents }
}

/** The tasks in a canvas that a client waits for and that have not ended. */
export const leftWaiting = (cases: ReadonlyArray<Case>, seen: Seen): ReadonlyArray<string> => {
  const ended = new Set(
    seen.backend
      .filter(({ content }) => isFinal(String(record(attempt(String(content)))["status"])))
      .map(({ name }) => name.slice(META.length))
  )
  const waiting: Array<string> = []
  const walk = (given: unknown): void => {
    if (Array.isArray(given)) return given.forEach(walk)
    if (!isRecord(given)) return
    const id = record(given["options"])["task_id"]
    if (given["subtask_type"] === null && typeof id === "string" && !ended.has(id)) waiting.push(id)
    Object.values(given).forEach(walk)
  }
  for (const { kind, pushed } of cases) {
    if (!kind.startsWith("canvas_of_canvases")) continue
    for (const { raw } of pushed) {
      const { body, headers } = opened(record(attempt(raw)), new Map())
      walk([body, { subtask_type: null, options: { task_id: record(headers)["id"] } }])
    }
  }
  return waiting
}

const tidyException = (text: string) => (text.startsWith("ValidationError(") ? `ValidationError ${String(fieldsIn(text))}` : text)

export interface Difference {
  /** The task's name: its case's kind and number, and the way to it. */
  readonly task: string
  readonly kind: string
  /** Where: `states`, `document.result`, `events`, `event task-received.args`, `left.headers.eta`, `key`. */
  readonly at: string
  readonly stock: unknown
  readonly ours: unknown
  readonly message: Fields | undefined
}

const paths = (at: string, stock: unknown, ours: unknown): ReadonlyArray<{ at: string; stock: unknown; ours: unknown }> => {
  if (isDeepStrictEqual(stock, ours)) return []
  if (isRecord(stock) && isRecord(ours)) {
    const keys = [...new Set([...Object.keys(stock), ...Object.keys(ours)])]
    return keys.flatMap((key) => paths(`${at}.${key}`, stock[key], ours[key]))
  }
  return [{ at, stock, ours }]
}

const types = (events: ReadonlyArray<Fields>) => events.map(({ type }) => String(type).replace("task-", ""))

export const compare = (stock: Views, ours: Views): ReadonlyArray<Difference> => {
  const found: Array<Difference> = []
  const none: View = { states: [], before: [], document: undefined, events: [], left: [] }
  for (const task of new Set([...stock.tasks.keys(), ...ours.tasks.keys()])) {
    const [theirs, mine] = [stock.tasks.get(task) ?? none, ours.tasks.get(task) ?? none]
    const add = (some: ReturnType<typeof paths>) =>
      some.forEach((one) => found.push({ task, kind: task.split(" ")[0]!, message: ours.contents.get(task), ...one }))
    add(paths("states", theirs.states, mine.states))
    for (let at = 0; at < Math.min(theirs.before.length, mine.before.length); at++)
      add(paths("document", theirs.before[at], mine.before[at]))
    add(paths("document", theirs.document, mine.document))
    add(paths("events", types(theirs.events), types(mine.events)))
    // Those of a type, in their order.
    for (const type of new Set(types(theirs.events))) {
      const of = (events: ReadonlyArray<Fields>) => events.filter((event) => event["type"] === `task-${type}`)
      const [a, b] = [of(theirs.events), of(mine.events)]
      for (let at = 0; at < Math.min(a.length, b.length); at++) add(paths(`event ${type}`, a[at], b[at]))
    }
    add(paths("left", theirs.left.length, mine.left.length))
    for (let at = 0; at < Math.min(theirs.left.length, mine.left.length); at++) add(paths("left", theirs.left[at], mine.left[at]))
  }
  for (const key of new Set([...stock.keys.keys(), ...ours.keys.keys()])) {
    for (const one of paths("key", stock.keys.get(key), ours.keys.get(key)))
      found.push({ task: key, kind: "key", message: undefined, ...one })
  }
  return found
}
