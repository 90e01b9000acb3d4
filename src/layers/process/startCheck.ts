import { Clock, Effect, Option, Redacted, Result } from "effect"
import { X509Certificate, createPrivateKey } from "node:crypto"
import { readFileSync } from "node:fs"
import * as Settings from "../../services/Settings.ts"
import * as DatabaseAddress from "../../services/settings/DatabaseAddress.ts"
import { nearest } from "../../services/settings/nearest.ts"
import * as RedisAddress from "../../services/settings/RedisAddress.ts"
import * as Certificate from "../media/Certificate.ts"
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

/** What is wrong with the certificate that pictures are signed with. */
const certificateProblems = Effect.fnUntraced(function* (names: ReadonlyArray<Settings.Name>) {
  if (!names.includes("C2PA_CERT")) return []
  const { C2PA_CERT, C2PA_KEY } = yield* Effect.orDie(Settings.of("C2PA_CERT", "C2PA_KEY")) // any text can be read
  if (Option.isNone(C2PA_CERT) && Option.isNone(C2PA_KEY)) return []
  if (Option.isNone(C2PA_CERT)) return ["C2PA_CERT is not set, and C2PA_KEY is: set both or neither"]
  if (Option.isNone(C2PA_KEY)) return ["C2PA_KEY is not set, and C2PA_CERT is: set both or neither"]
  const loaded = Certificate.load(C2PA_CERT.value, C2PA_KEY.value)
  return "problem" in loaded ? [loaded.problem] : []
})

/** A certificate is warned of this long before it ends (milliseconds). */
const SOON = 30 * 86_400_000

/** No worker stays away because a certificate has ended: pictures are then stored with their XMP mark alone. */
const certificateDoubts = Effect.gen(function* () {
  const { C2PA_CERT, C2PA_KEY, MEDIA_STORE } = yield* Settings.of("C2PA_CERT", "C2PA_KEY", "MEDIA_STORE")
  if (Option.isNone(C2PA_CERT) || Option.isNone(C2PA_KEY)) return []
  if (Option.isNone(MEDIA_STORE)) return ["C2PA_CERT is set, and MEDIA_STORE is not: only stored pictures are signed"]
  const loaded = Certificate.load(C2PA_CERT.value, C2PA_KEY.value)
  if ("problem" in loaded) return []
  const now = yield* Clock.currentTimeMillis
  const outside = Certificate.outsideValidity(loaded, now)
  if (outside !== undefined) return [`C2PA_CERT names a certificate that ${outside}: pictures are stored without a signature`]
  return Certificate.outsideValidity(loaded, now + SOON) === undefined
    ? []
    : [
        `C2PA_CERT names a certificate that ends soon, on ${loaded.chain[0].validTo}: pictures are then stored without a signature`
      ]
}).pipe(Effect.orElseSucceed(() => [])) // settings that cannot be read are said elsewhere

/** The names that are no settings of ours and look like one that was meant, with that one. */
const misspelt = (given: ReadonlyArray<string>) =>
  given.flatMap((name) => {
    const meant = nearest(name, Settings.names)
    return meant === undefined ? [] : [`${name} is not a setting and is ignored: did you mean ${meant}?`]
  })

/** Succeeds when a program can start with the named settings; otherwise one message names all that is wrong with them. */
export const check = Effect.fn("startCheck.check")(function* (
  names: ReadonlyArray<Settings.Name>,
  given: ReadonlyArray<string> = DotEnv.names()
) {
  const unused = DotEnv.problems()
  const wrong = yield* Settings.problems(names)
  // A .env file that is not used sets nothing, so there is nothing to report.
  const settings = unused.length === 0 ? wrong : wrong.filter((problem) => !problem.endsWith(Settings.NOT_SET))
  const problems = [...unused, ...settings, ...(yield* fileProblems(names)), ...(yield* certificateProblems(names))]
  // A misspelt name is often the reason why another one is not set.
  if (problems.length > 0) return yield* new Settings.BadSettings({ problems: [...problems, ...misspelt(given)] })
})

/** Says what is no setting of ours and looks like one that was meant, and what may be a mistake though it can be read. */
export const warn = Effect.fn("startCheck.warn")(function* (given: ReadonlyArray<string> = DotEnv.names()) {
  const doubts = [...(yield* Settings.doubts(Settings.names)), ...(yield* certificateDoubts)]
  for (const line of [...misspelt(given), ...doubts]) yield* Effect.logWarning(line)
})
