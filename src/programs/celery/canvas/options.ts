import * as PythonJson from "../../../wire/PythonJson.ts"
import type { Spend } from "./budget.ts"
import type { Options, Signature } from "./Signature.ts"

/** Celery's merge of options: what is given wins, but a task stays in the group it was put in, and keeps its stamps. */
export const merge = (own: Options, given: Options): Options => {
  const stamps = own["stamped_headers"]
  const kept = new Set(["group_id", "stamped_headers", ...(Array.isArray(stamps) ? stamps.map(String) : [])])
  return { ...own, ...Object.fromEntries(Object.entries(given).filter(([name]) => !(kept.has(name) && name in own))) }
}

export const without = (options: Options, ...names: ReadonlyArray<string>): Options =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !names.includes(name)))

const listOf = (value: unknown): ReadonlyArray<unknown> =>
  Array.isArray(value) ? value : value === null || value === undefined ? [] : [value]

const sizes = new WeakMap<ReadonlyArray<unknown>, number>()
/** Characters of JSON; counted once for a list that is added to many tasks. */
const sizeOf = (list: ReadonlyArray<unknown>) => {
  const size = sizes.get(list) ?? PythonJson.stringify(list).length
  sizes.set(list, size)
  return size
}

const appended = (signature: Signature, option: "link" | "link_error", more: ReadonlyArray<unknown>, spend: Spend): Signature => {
  const old = listOf(signature.options[option])
  spend(0, sizeOf(more)) // they are written anew for every task they are added to
  const seen = new Set(old.map((one) => PythonJson.stringify(one)))
  const added = seen.size === 0 ? more : more.filter((one) => !seen.has(PythonJson.stringify(one)))
  return { ...signature, options: { ...signature.options, [option]: [...old, ...added] } }
}

/** Adds callbacks or errbacks where they take effect: of a chord its body, of a group each of its tasks. */
export const linked = (signature: Signature, option: "link" | "link_error", links: unknown, spend: Spend): Signature => {
  const more = listOf(links)
  if (more.length === 0) return signature
  switch (signature.kind) {
    case "task":
    case "chain":
      return appended(signature, option, more, spend)
    case "chord":
      return { ...signature, body: linked(signature.body, option, more, spend) }
    case "group": {
      const immutable = more.map((one) => (typeof one === "object" && one !== null ? { ...one, immutable: true } : one))
      return { ...signature, tasks: signature.tasks.map((task) => linked(task, option, immutable, spend)) }
    }
  }
}
