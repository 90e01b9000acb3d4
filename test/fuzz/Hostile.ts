/**
 * What a client, a neighbour or fal may send in the place of anything: values that were seen to break something, and any mixture.
 */
import * as PythonJson from "../../src/wire/PythonJson.ts"
import type { Dice } from "../simulation/Dice.ts"

const numbers: ReadonlyArray<unknown> = [
  0,
  -0,
  1,
  -1,
  0.5,
  3,
  255,
  1001,
  2 ** 31,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 53),
  1.7e15,
  -1.7e15,
  1e308,
  5e-324,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  10n ** 30n,
  -(2n ** 63n),
  new PythonJson.Float(1),
  new PythonJson.Float(1e300)
]
const texts: ReadonlyArray<string> = [
  "",
  "a",
  " ",
  "0",
  "-1",
  "nan",
  "NaN",
  "-Infinity",
  "0e-99999 1e99999",
  "true",
  "null",
  "None",
  "\u0000",
  "a\u0000b",
  "\n",
  "\u2028",
  "\u00ad\u0085",
  "\ud83d",
  "\ude00x",
  "😀",
  "é",
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "length",
  "\u0006\u0016",
  "unacked",
  "generator_queue.dead",
  "../../etc/passwd",
  "redis://:s3cret@host:6379/0",
  "https://user:s3cret@host/picture.jpg?token=s3cret",
  "data:image/png;base64,AAAA",
  "2024-01-02T03:04:05",
  "2024-01-02T03:04:05.678901+00:00",
  "0000-01-01T00:00:00",
  "9999-12-31T23:59:59.999999-12:00",
  "2024-02-30",
  "soon",
  "celery.group",
  "celery.chord",
  "generate_model",
  "group",
  "chain",
  "chord"
]
const types = ["uuid", "datetime", "date", "time", "decimal", "bytes", "base64", "zzz", "__proto__"]

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !(value instanceof PythonJson.Float)

export class Hostile {
  readonly dice: Dice
  constructor(dice: Dice) {
    this.dice = dice
  }

  text(): string {
    const { dice } = this
    const one = dice.pick(texts)
    if (dice.chance(0.1)) return one.repeat(dice.pick([2, 100, 1000, one.length < 10 ? 70_000 : 1]))
    return dice.chance(0.1) ? one + dice.pick(texts) : one
  }

  value(depth = 3): unknown {
    const { dice } = this
    const many = (most: number) => Array.from({ length: dice.between(0, most) })
    switch (
      dice.weighted({ number: 6, text: 8, plain: 4, typed: 2, list: depth > 0 ? 3 : 0, dict: depth > 0 ? 3 : 0, large: 1 })
    ) {
      case "number":
        return dice.pick(numbers)
      case "text":
        return this.text()
      case "plain":
        return dice.pick([null, true, false, [], {}])
      case "typed":
        return { __type__: dice.pick(types), __value__: this.value(0) }
      case "list":
        return many(5).map(() => this.value(depth - 1))
      case "dict":
        return Object.fromEntries(many(5).map(() => [this.text(), this.value(depth - 1)]))
      case "large": {
        const size = dice.pick([101, 2000, 12_000])
        const one = dice.pick([...numbers, ...texts, null, [], {}]) // all of it together stays below a MB
        return dice.pick<() => unknown>([
          () => Array.from({ length: size }, () => one),
          () => Object.fromEntries(Array.from({ length: size }, (_, at) => [`k${at}`, one])),
          () => Array.from({ length: dice.pick([50, 99, 150]) }).reduce((inner) => [inner], one)
        ])()
      }
    }
  }

  /** The same value with one thing or a few in it changed. */
  mutated(value: unknown): unknown {
    let out = value
    for (let n = this.dice.between(1, 3); n > 0; n--) out = this.#once(out)
    return out
  }

  #once(value: unknown): unknown {
    const { dice } = this
    if (!isObject(value) || dice.chance(0.15)) return dice.chance(0.3) && isObject(value) ? [value] : this.value()
    if (Array.isArray(value)) {
      const list: Array<unknown> = [...(value as ReadonlyArray<unknown>)]
      const at = dice.between(0, list.length)
      const how = at === list.length ? "put" : dice.weighted({ change: 6, put: 2, repeat: 2 })
      if (how === "put") list.splice(at, dice.between(0, 1), this.value())
      else if (how === "repeat") list.push(list[at])
      else list[at] = this.#once(list[at])
      return list
    }
    const entries = Object.entries(value)
    if (entries.length === 0 || dice.chance(0.1)) return Object.fromEntries([...entries, [this.text(), this.value()]])
    const [key, inner] = dice.pick(entries)
    const rest = entries.filter(([other]) => other !== key)
    if (dice.chance(0.1)) return Object.fromEntries(rest)
    if (dice.chance(0.05)) return Object.fromEntries([...rest, [this.text(), inner]])
    return Object.fromEntries([...rest, [key, this.#once(inner)]])
  }

  /** The same text with some of its characters changed, left out or said twice. */
  garbled(text: string): string {
    const { dice } = this
    let out = text
    for (let n = dice.between(1, 4); n > 0; n--) {
      const at = dice.between(0, out.length)
      const upTo = Math.min(out.length, at + dice.pick([0, 1, 1, 2, 20]))
      out =
        out.slice(0, at) +
        dice.pick(["", "", this.text().slice(0, 50), '"', "{", "[", "\\", out.slice(at, upTo).repeat(2)]) +
        out.slice(upTo)
    }
    return dice.chance(0.1) ? out.slice(0, dice.between(0, out.length)) : out
  }
}
