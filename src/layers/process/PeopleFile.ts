import { Effect, Layer, Option, Redacted, Schema, Semaphore } from "effect"
import { randomBytes, scrypt, timingSafeEqual } from "node:crypto"
import * as fs from "node:fs/promises"
import { NAME, People, PeopleError, type Person, ROLES } from "../../services/People.ts"

/** scrypt with 16 MB of memory for each check, of which one runs at a time: some 50 ms. */
const COST = { N: 16_384, r: 8, p: 1 }
const KEY = 32

const Line = Schema.fromJsonString(
  Schema.Struct({
    name: Schema.String.check(Schema.isPattern(NAME)),
    role: Schema.Literals(ROLES),
    salt: Schema.String.check(Schema.isPattern(/^[\da-f]{32}$/)),
    scrypt: Schema.String.check(Schema.isPattern(/^[\da-f]{64}$/))
  })
)
type Line = typeof Line.Type
const decode = Schema.decodeEffect(Line)

const derive = (password: Redacted.Redacted, salt: string) =>
  Effect.callback<Buffer>((resume) =>
    scrypt(Redacted.value(password).normalize("NFKC"), Buffer.from(salt, "hex"), KEY, COST, (error, key) =>
      resume(error === null ? Effect.succeed(key) : Effect.die(error))
    )
  )

/** Somebody else's password, so that a name that nobody has takes as long. */
const nobody: Pick<Line, "salt" | "scrypt"> = { salt: "00".repeat(16), scrypt: "00".repeat(KEY) }

const codeOf = (cause: unknown) =>
  cause instanceof Error && "code" in cause && typeof cause.code === "string" ? cause.code : String(cause)

const OTHERS = 0o077

/**
 * One line of JSON for each person. The file is read anew whenever it has changed, so that whoever is taken out of it is out at
 * once. Only its owner may read it, and it is replaced as a whole.
 */
export const layer = (path: string) =>
  Layer.effect(
    People,
    Effect.gen(function* () {
      const attempt = <A>(what: string, run: () => Promise<A>) =>
        Effect.tryPromise({ try: run, catch: (cause) => new PeopleError({ detail: `${path} ${what} (${codeOf(cause)})` }) })
      let known: { readonly stamp: string; readonly lines: ReadonlyArray<Line> } | undefined

      const parse = Effect.fnUntraced(function* (text: string) {
        const lines: Array<Line> = []
        for (const [at, line] of text.split("\n").entries()) {
          if (line.trim() === "") continue
          lines.push(
            yield* Effect.mapError(
              decode(line),
              () => new PeopleError({ detail: `${path} line ${at + 1} is not a person of ours` })
            )
          )
        }
        return lines
      })
      const read = Effect.gen(function* () {
        const found = yield* attempt("cannot be read", () =>
          fs.stat(path).catch((error: unknown) => {
            if (codeOf(error) === "ENOENT") return undefined
            throw error
          })
        )
        if (found === undefined) return []
        if ((found.mode & OTHERS) !== 0)
          return yield* new PeopleError({ detail: `${path} can be read by others: chmod 600 ${path}` })
        const stamp = `${found.ino} ${found.mtimeMs} ${found.size}`
        if (known?.stamp === stamp) return known.lines
        const lines = yield* parse(yield* attempt("cannot be read", () => fs.readFile(path, "utf8")))
        known = { stamp, lines }
        return lines
      })
      const write = (lines: ReadonlyArray<Line>) =>
        attempt("cannot be written", async () => {
          const draft = `${path}.${randomBytes(6).toString("hex")}`
          try {
            const file = await fs.open(draft, "wx", 0o600)
            try {
              await file.writeFile(lines.map((line) => `${JSON.stringify(line)}\n`).join(""))
              await file.sync()
            } finally {
              await file.close()
            }
            await fs.rename(draft, path)
          } catch (error) {
            await fs.rm(draft, { force: true })
            throw error
          }
        })

      const plain = ({ name, role }: Line): Person => ({ name, role })
      const of = (name: string) => Effect.map(read, (lines) => lines.find((line) => line.name === name))
      /** However many sign in at once: one check at a time bounds the memory and the processor's time that strangers can use. */
      const turn = yield* Semaphore.make(1)

      return People.of({
        list: Effect.map(read, (lines) => lines.map(plain)),
        find: (name) => Effect.map(of(name), (line) => Option.map(Option.fromNullishOr(line), plain)),
        verify: Effect.fn("People.verify")(function* (name, password) {
          const line = yield* of(name)
          const { salt, scrypt } = line ?? nobody
          const key = yield* turn.withPermit(derive(password, salt))
          const right = timingSafeEqual(key, Buffer.from(scrypt, "hex"))
          return line !== undefined && right ? Option.some(plain(line)) : Option.none()
        }),
        put: Effect.fn("People.put")(function* ({ name, role }, password) {
          const salt = randomBytes(16).toString("hex")
          const key = yield* derive(password, salt)
          const others = (yield* read).filter((line) => line.name !== name)
          yield* write([...others, { name, role, salt, scrypt: key.toString("hex") }])
        }),
        remove: Effect.fn("People.remove")(function* (name) {
          const lines = yield* read
          const others = lines.filter((line) => line.name !== name)
          if (others.length === lines.length) return false
          yield* write(others)
          return true
        })
      })
    })
  )

/** CONSOLE_USERS is not set: nobody signs in here. */
export const unset = Layer.sync(People, () => {
  const none = new PeopleError({ detail: "CONSOLE_USERS is not set: it names the file of those who may sign in" })
  return People.of({
    list: Effect.succeed([]),
    find: () => Effect.succeedNone,
    verify: () => Effect.succeedNone,
    put: () => Effect.fail(none),
    remove: () => Effect.fail(none)
  })
})
