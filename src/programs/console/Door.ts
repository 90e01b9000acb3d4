import { Clock, Context, Effect, Layer, Option, type Redacted } from "effect"
import type { HttpServerRequest } from "effect/http"
import { createHash, randomBytes } from "node:crypto"
import { mayAct, NAME, People, type PeopleError, type Person, type Role } from "../../services/People.ts"
import * as Settings from "../../services/Settings.ts"

export const COOKIE = "console_session"
/** A session ends this long after the sign-in, whatever is done meanwhile: half a day of work (milliseconds). */
const SESSION = 12 * 3_600_000
/** The most sessions at once; the oldest ends first. */
const MOST_SESSIONS = 1000

/** So many failed sign-ins of a name, or from an address, are answered at once; after them each doubles the wait. */
const FREE = 3
const LONGEST_WAIT = 60_000
/** Failures are forgotten after this long without another (milliseconds). */
const FORGIVEN = 3_600_000
const MOST_REMEMBERED = 10_000

interface Failures {
  readonly count: number
  readonly last: number
}

/** When the next attempt is heard. */
const opens = ({ count, last }: Failures) => (count < FREE ? 0 : last + Math.min(1000 * 2 ** (count - FREE), LONGEST_WAIT))

export type SignIn =
  | { readonly _tag: "In"; readonly person: Person; readonly token: string }
  | { readonly _tag: "Wrong" }
  | { readonly _tag: "Wait"; readonly seconds: number }

/** A session is known by the hash of its token, so that nothing in memory could be used as one. */
const hashOf = (token: string) => createHash("sha256").update(token).digest("hex")

const addressOf = (request: Pick<HttpServerRequest.HttpServerRequest, "remoteAddress">) =>
  Option.getOrElse(request.remoteAddress, () => "").replace(/^::ffff:/i, "")

/** Who is let in, and as whom. */
export class Door extends Context.Service<
  Door,
  {
    /** Whether people sign in here, or a proxy says who they are. */
    readonly asks: boolean
    readonly personOf: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<Option.Option<Person>, PeopleError>
    readonly signIn: (
      name: string,
      password: Redacted.Redacted,
      request: HttpServerRequest.HttpServerRequest
    ) => Effect.Effect<SignIn, PeopleError>
    readonly signOut: (request: HttpServerRequest.HttpServerRequest) => Effect.Effect<void>
  }
>()("model-generator/programs/console/Door") {}

const HERE = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/
/**
 * For a demo on this machine: whoever is at it may do everything, without an account. Another site can have its own name lead here,
 * and would then be let in by that name: so it must be this machine's.
 */
export const layerOpen = Layer.succeed(
  Door,
  Door.of({
    asks: false,
    personOf: ({ headers }) =>
      Effect.succeed(HERE.test(headers["host"] ?? "") ? Option.some({ name: "you", role: "operator" }) : Option.none()),
    signIn: () => Effect.succeed({ _tag: "Wrong" }),
    signOut: () => Effect.void
  })
)

/** Sessions are kept in memory: a restart signs everybody out. */
export const layer = Layer.effect(
  Door,
  Effect.gen(function* () {
    const people = yield* People
    const settings = yield* Settings.of("CONSOLE_USERS", "CONSOLE_PROXY_HEADER", "CONSOLE_PROXY_ADDRESS", "CONSOLE_PROXY_ROLE")
    const header = Option.getOrUndefined(settings.CONSOLE_PROXY_HEADER)?.toLowerCase()
    const proxies = new Set(settings.CONSOLE_PROXY_ADDRESS)
    const sessions = new Map<string, { readonly name: string; readonly until: number }>()
    const failures = new Map<string, Failures>()

    const bySession = Effect.fnUntraced(function* (token: string | undefined) {
      const session = token === undefined ? undefined : sessions.get(hashOf(token))
      if (session === undefined || session.until <= (yield* Clock.currentTimeMillis)) return Option.none<Person>()
      return yield* people.find(session.name) // the file says it anew: who was taken out of it is out
    })
    /** Nobody but the proxy may say who somebody is. */
    const byProxy = Effect.fnUntraced(function* (name: string) {
      const named = Option.isNone(settings.CONSOLE_USERS) ? Option.none<Person>() : yield* people.find(name)
      return Option.orElseSome(named, (): Person => ({ name, role: settings.CONSOLE_PROXY_ROLE }))
    })

    const failed = (key: string, now: number) => {
      const before = failures.get(key)
      failures.delete(key)
      failures.set(key, { count: before === undefined || now - before.last > FORGIVEN ? 1 : before.count + 1, last: now })
      if (failures.size > MOST_REMEMBERED) failures.delete(failures.keys().next().value ?? "")
    }

    return Door.of({
      asks: Option.isSome(settings.CONSOLE_USERS),
      personOf: Effect.fnUntraced(function* (request) {
        if (header !== undefined && proxies.has(addressOf(request))) {
          const name = request.headers[header] ?? ""
          if (NAME.test(name)) return yield* byProxy(name)
        }
        return yield* bySession(request.cookies[COOKIE])
      }),
      signIn: Effect.fn("console.signIn")(function* (name, password, request) {
        const keys = [`name ${name.slice(0, 64)}`, `address ${addressOf(request)}`]
        const now = yield* Clock.currentTimeMillis
        const wait = Math.max(0, ...keys.map((key) => opens(failures.get(key) ?? { count: 0, last: 0 }) - now))
        if (wait > 0) return { _tag: "Wait", seconds: Math.ceil(wait / 1000) } as const
        // Counted before it is known, so that many at once do not all find the door open.
        for (const key of keys) failed(key, now)
        const person = yield* people.verify(name, password)
        if (Option.isNone(person)) return { _tag: "Wrong" } as const
        for (const key of keys) failures.delete(key)
        const token = randomBytes(32).toString("base64url")
        sessions.set(hashOf(token), { name, until: (yield* Clock.currentTimeMillis) + SESSION })
        if (sessions.size > MOST_SESSIONS) sessions.delete(sessions.keys().next().value ?? "")
        return { _tag: "In", person: person.value, token } as const
      }),
      signOut: (request) => Effect.sync(() => void sessions.delete(hashOf(request.cookies[COOKIE] ?? "")))
    })
  })
)

/** Whether a write comes from a page of ours. Browsers leave `Sec-Fetch-Site` out on plain HTTP, and send `Origin` with a form. */
export const isOurs = ({ headers }: Pick<HttpServerRequest.HttpServerRequest, "headers">): boolean => {
  const site = headers["sec-fetch-site"]
  if (site !== undefined) return site === "same-origin"
  const origin = headers["origin"]
  return origin !== undefined && URL.parse(origin)?.host === headers["host"]
}

export const may = (person: Person, needed: Role) => mayAct(person.role, needed)
