import { Exit, Option } from "effect"

/** A call's arguments or its answer, short enough for one line of a trace. */
export const describe = (args: ReadonlyArray<unknown>): string => args.map(brief).join(", ").slice(0, 160)

const brief = (value: unknown): string => {
  if (Exit.isExit(value)) {
    if (Exit.isSuccess(value)) return value.value === undefined ? "done" : brief(value.value)
    return `FAILS ${String(value.cause).split("\n")[0]}`
  }
  if (Option.isOption(value)) return Option.isNone(value) ? "nothing" : brief(value.value)
  if (Array.isArray(value)) return `[${value.map(brief).join(", ")}]`
  if (typeof value !== "object" || value === null) return String(value)
  const known = value as Readonly<Record<string, unknown>> // looked at key by key
  if (Option.isOption(known["entry"])) return brief(known["entry"])
  const parts = ["_tag", "task_id", "status", "requestId", "tag", "templateId", "version", "id", "due", "lost", "resubmits"]
    .filter((key) => known[key] !== undefined && known[key] !== null)
    .map((key) => `${key}=${typeof known[key] === "object" ? "…" : String(known[key])}`)
  return `{${parts.join(" ")}}`
}
