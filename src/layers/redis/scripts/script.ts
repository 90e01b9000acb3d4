import type { Redis } from "ioredis"

/** A key that the caller names. Every other key of a script is always the same and stands in its declaration. */
export const given = Symbol("given")
/** What an argument is in Lua. With a question mark it is nil there where the caller says undefined. */
type Kind = "text" | "number" | "text?" | "number?"
type Value = string | number | Buffer | undefined

/** Lua that several scripts share: local functions, which may use the keys and arguments that they `need` by name. */
export interface Library<Needs extends string> {
  readonly needs: ReadonlyArray<Needs>
  readonly uses: ReadonlyArray<Library<string>>
  readonly lua: string
}
export const library = <const Needs extends string = never>(made: {
  readonly needs?: ReadonlyArray<Needs>
  readonly uses?: ReadonlyArray<Library<Needs> | Library<never>>
  readonly lua: string
}): Library<Needs> => ({ needs: made.needs ?? [], uses: made.uses ?? [], lua: made.lua })

type Names<T> = Extract<keyof T, string>
type GivenNames<K> = { [Name in Names<K>]: K[Name] extends typeof given ? Name : never }[Names<K>]
type ValueOf<K extends Kind> = K extends "text"
  ? string | Buffer
  : K extends "text?"
    ? string | undefined
    : K extends "number"
      ? number
      : number | undefined

/** What a call names: the given keys, every argument, what comes once for each list, and the texts at the end. */
export type Call<K, A extends Readonly<Record<string, Kind>>, Each extends string, Rest extends boolean> = {
  readonly [Name in GivenNames<K>]: string
} & { readonly [Name in Names<A>]: ValueOf<A[Name]> } & ([Each] extends [never]
    ? unknown
    : { readonly each: ReadonlyArray<Readonly<Record<Each, string | Buffer>>> }) &
  (Rest extends true ? { readonly rest: ReadonlyArray<string> } : unknown)

export interface Script<C, Answer> {
  /** As ioredis knows it. */
  readonly name: string
  readonly lua: string
  readonly replies: "texts" | "buffers"
  readonly keysOf: (call: C) => Array<string>
  readonly argumentsOf: (call: C) => Array<string | number | Buffer>
  readonly answer: (reply: unknown) => Answer
}

const numbered = (table: "KEYS" | "ARGV", count: number) => Array.from({ length: count }, (_, at) => `${table}[${at + 1}]`)
const inOrder = (libraries: ReadonlyArray<Library<string>>): ReadonlyArray<Library<string>> => [
  ...new Set(libraries.flatMap((one) => [...inOrder(one.uses), one]))
]

/**
 * In Lua each key and argument is a local of its name; `each_one()` goes through what comes once for each; the rest begins at
 * `rest`.
 */
const namesInLua = (
  keys: ReadonlyArray<string>,
  args: ReadonlyArray<readonly [name: string, kind: Kind]>,
  each: { readonly keys: ReadonlyArray<string>; readonly args: ReadonlyArray<string> } | undefined,
  rest: boolean
) => {
  const lines: Array<string> = []
  if (keys.length > 0) lines.push(`local ${keys.join(", ")} = ${numbered("KEYS", keys.length).join(", ")}`)
  args.forEach(([name, kind], at) => {
    const value = `ARGV[${at + 1}]`
    lines.push(
      `local ${name} = ${kind.startsWith("number") ? `tonumber(${value})` : kind === "text?" ? `${value} ~= '' and ${value} or nil` : value}`
    )
  })
  if (each !== undefined) {
    const places = [
      ...each.keys.map((_, at) => `KEYS[${keys.length + at + 1} + n * ${each.keys.length}]`),
      ...each.args.map((_, at) => `ARGV[${args.length + at + 1} + n * ${each.args.length}]`)
    ]
    lines.push(
      `local function each_one() local n, count = -1, (#KEYS - ${keys.length}) / ${each.keys.length}` +
        ` return function() n = n + 1 if n < count then return ${places.join(", ")} end end end`
    )
  }
  if (rest) lines.push(`local rest = ${args.length + 1}`)
  return lines.join("\n")
}

/**
 * Declares a Lua script: one step at the server, so that a crash finds all of it done or nothing. Keys and arguments have names,
 * in Lua and for the caller, so that none can be taken for another. `each` names keys and arguments that come once for each list,
 * its keys first; `rest` allows any number of texts after the arguments, which goes together with an `each` without arguments
 * only.
 */
export const script = <
  const K extends Readonly<Record<string, string | typeof given>>,
  Answer,
  const A extends Readonly<Record<string, Kind>> = Record<never, never>,
  const EachKey extends string = never,
  const EachArg extends string = never,
  const Rest extends boolean = false
>(declared: {
  readonly name: string
  readonly keys: K
  readonly args?: A
  readonly each?: { readonly keys: ReadonlyArray<EachKey>; readonly args?: ReadonlyArray<EachArg> }
  readonly rest?: Rest
  readonly uses?: ReadonlyArray<Library<NoInfer<Names<K> | Names<A>>>>
  readonly lua: string
  readonly replies?: "buffers"
  /** The one place where what the script returns becomes a value of ours. */
  readonly answer: (reply: unknown) => Answer
}): Script<Call<K, A, EachKey | EachArg, Rest>, Answer> => {
  const keys = Object.entries(declared.keys)
  const args = Object.entries<Kind>(declared.args ?? {})
  const each = declared.each === undefined ? undefined : { keys: declared.each.keys, args: declared.each.args ?? [] }
  const argNames = args.map(([name]) => name)
  // The types above say what a call holds; here it is looked up by name.
  const named = (call: unknown) =>
    call as Readonly<Record<string, Value>> & {
      readonly each: ReadonlyArray<Readonly<Record<string, string | Buffer>>>
      readonly rest: ReadonlyArray<string>
    }
  return {
    name: declared.name,
    replies: declared.replies ?? "texts",
    answer: declared.answer,
    lua: [
      namesInLua(
        keys.map(([name]) => name),
        args,
        each,
        declared.rest === true
      ),
      ...inOrder(declared.uses ?? []).map(({ lua }) => lua.trim()),
      declared.lua.trim()
    ].join("\n"),
    keysOf: (call) => {
      const values = named(call)
      const all = keys.map(([name, key]) => (key === given ? String(values[name]) : key))
      if (each !== undefined) for (const one of values.each) for (const name of each.keys) all.push(String(one[name]))
      return all
    },
    argumentsOf: (call) => {
      const values = named(call)
      const all: Array<string | number | Buffer> = argNames.map((name) => values[name] ?? "")
      if (each !== undefined && each.args.length > 0)
        for (const one of values.each) for (const name of each.args) all.push(one[name] ?? "")
      if (declared.rest === true) all.push(...values.rest)
      return all
    }
  }
}

/** A script over a connection. ioredis sends its digest, and its text where the server does not know it. */
export const bind = <C, Answer>(redis: Redis, { answer, argumentsOf, keysOf, lua, name, replies }: Script<C, Answer>) => {
  redis.defineCommand(name, { lua })
  // `defineCommand` adds methods that its types cannot know.
  const run = Reflect.get(redis, replies === "texts" ? name : `${name}Buffer`) as (
    count: number,
    ...rest: ReadonlyArray<string | number | Buffer>
  ) => Promise<unknown>
  return async (call: C): Promise<Answer> => {
    const keys = keysOf(call)
    return answer(await run.call(redis, keys.length, ...keys, ...argumentsOf(call)))
  }
}

/** What a script returns that answers nothing. */
export const nothing = () => {}
