import { ConfigProvider, Effect, Layer } from "effect"
import { readFileSync, statSync } from "node:fs"

const LINE = /^\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*$/
const escapes: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", '"': '"', "\\": "\\" }

interface Read {
  readonly values: Readonly<Record<string, string>>
  readonly problems: ReadonlyArray<string>
}

/**
 * The text of a `.env`, read as Docker Compose reads it, so that a value is the same with and without Compose. Compose puts
 * other variables in the place of a `$` outside single quotes; that is refused here, because a password would change unseen.
 */
export const parse = (text: string): Read => {
  const values: Record<string, string> = {}
  const problems: Array<string> = []
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#|$)/.test(line)) continue
    const [, name = "", given = ""] = LINE.exec(line) ?? []
    const single = /^'([^']*)'(?:\s+#.*)?$/.exec(given)
    const double = /^"((?:[^"\\]|\\.)*)"(?:\s+#.*)?$/.exec(given)
    const bare = given.replace(/(^|\s+)#.*$/, "")
    if (name === "") problems.push(`.env line ${at + 1} is not NAME=value`)
    else if (single !== null) values[name] = single[1] ?? ""
    else if (/^['"]/.test(given) && double === null)
      problems.push(`${name} in .env has a quote that is not closed on its line (a ' inside goes in double quotes)`)
    else if (/\$/.test(double?.[1] ?? bare)) problems.push(`${name} in .env has a $: put the value in single quotes`)
    else values[name] = double === null ? bare : (double[1] ?? "").replaceAll(/\\(.)/g, (whole, char) => escapes[char] ?? whole)
  }
  return { values, problems }
}

type Environment = Readonly<Record<string, string | undefined>>
const OTHERS = 0o077

/** The `.env` of the working directory, if there is one. `problems` says why it must not be used. */
const read = (path: string, env: Environment): Read => {
  try {
    const { mode } = statSync(path)
    const { problems, values } = parse(readFileSync(path, "utf8"))
    const allowed = (env["ALLOW_READABLE_ENV"] ?? values["ALLOW_READABLE_ENV"]) === "1"
    const open = process.platform !== "win32" && (mode & OTHERS) !== 0 && !allowed
    return {
      values,
      problems: open ? [".env can be read by others: chmod 600 .env (or allow it: ALLOW_READABLE_ENV=1)", ...problems] : problems
    }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined
    return { values: {}, problems: code === "ENOENT" || code === "ENOTDIR" ? [] : [`.env cannot be read (${String(code)})`] }
  }
}

/** Why the `.env` of the working directory must not be used: it is open to others, or cannot be understood. */
export const problems = (path = ".env", env: Environment = process.env): ReadonlyArray<string> => read(path, env).problems

/** Every name that the environment or the `.env` gives a value to. */
export const names = (path = ".env", env: Environment = process.env): ReadonlyArray<string> => [
  ...new Set([...Object.keys(read(path, env).values), ...Object.keys(env)])
]

/** Settings from the environment, and from the `.env` of the working directory where the environment is silent. */
export const layer = (path = ".env", env: Environment = process.env) =>
  Layer.effect(
    ConfigProvider.ConfigProvider,
    Effect.sync(() => {
      const { problems, values } = read(path, env)
      const given = Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
      return ConfigProvider.fromEnv({ env: { ...(problems.length === 0 ? values : {}), ...Object.fromEntries(given) } })
    })
  )
