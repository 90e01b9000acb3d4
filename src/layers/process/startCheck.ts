import { Effect, Option, Redacted, Result } from "effect"
import { X509Certificate, createPrivateKey } from "node:crypto"
import { readFileSync } from "node:fs"
import * as Settings from "../../services/Settings.ts"
import * as DatabaseAddress from "../../services/settings/DatabaseAddress.ts"
import { nearest } from "../../services/settings/nearest.ts"
import * as RedisAddress from "../../services/settings/RedisAddress.ts"
import * as DotEnv from "./DotEnv.ts"

type Files = Readonly<Partial<Record<string, string>>>
const redisFiles = (url: string): Files =>
  Result.match(RedisAddress.parse(url), { onFailure: () => ({}), onSuccess: ({ tls }) => tls?.files ?? {} })
/** The files that an address names. */
const filesOf = {
  CELERY_BROKER_URL: redisFiles,
  CELERY_RESULT_BACKEND: redisFiles,
  DATABASE_URL: (url: string): Files =>
    Result.match(DatabaseAddress.parse(url), { onFailure: () => ({}), onSuccess: ({ tls }) => tls?.files ?? {} })
}
type Addressed = keyof typeof filesOf
const isAddressed = (name: Settings.Name): name is Addressed => Object.hasOwn(filesOf, name)

/** What is wrong with a certificate or key file; undefined when it can be used. */
const wrongWith = (kind: string, path: string): string | undefined => {
  try {
    const text = readFileSync(path)
    const parse = kind.endsWith("key") || kind.endsWith("keyfile") ? createPrivateKey : (pem: Buffer) => new X509Certificate(pem)
    parse(text) // throws at what is none
    return undefined
  } catch (error) {
    const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "unreadable"
    return /^E[A-Z]+$/.test(code) ? `cannot be read (${code})` : `holds no certificate or key in PEM form (${code})`
  }
}

const fileProblems = Effect.fnUntraced(function* (names: ReadonlyArray<Settings.Name>) {
  const found: Array<string> = []
  for (const name of names.filter(isAddressed)) {
    const url = yield* Effect.option(Settings.of(name))
    if (Option.isNone(url)) continue // said already
    for (const [kind, path] of Object.entries(filesOf[name](Redacted.value(url.value[name])))) {
      const wrong = path === undefined ? undefined : wrongWith(kind, path)
      if (wrong !== undefined) found.push(`${name} has ${kind}=${path}, which ${wrong}`)
    }
  }
  return found
})

/** Succeeds when a program can start with the named settings; otherwise one message names all that is wrong with them. */
export const check = Effect.fn("startCheck.check")(function* (names: ReadonlyArray<Settings.Name>) {
  const unused = DotEnv.problems()
  const wrong = yield* Settings.problems(names)
  // A .env file that is not used sets nothing, so there is nothing to report.
  const settings = unused.length === 0 ? wrong : wrong.filter((problem) => !problem.endsWith(Settings.NOT_SET))
  const problems = [...unused, ...settings, ...(yield* fileProblems(names))]
  if (problems.length > 0) return yield* new Settings.BadSettings({ problems })
})

/** Says what is no setting of ours and looks like one that was meant, and what may be a mistake though it can be read. */
export const warn = Effect.fn("startCheck.warn")(function* (given: ReadonlyArray<string> = DotEnv.names()) {
  for (const name of given) {
    const meant = nearest(name, Settings.names)
    if (meant !== undefined) yield* Effect.logWarning(`${name} is not a setting and is ignored: did you mean ${meant}?`)
  }
  for (const doubt of yield* Settings.doubts(Settings.names)) yield* Effect.logWarning(doubt)
})
