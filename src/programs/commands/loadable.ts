import { Effect } from "effect"
import { Failed } from "./outcome.ts"

// They stay outside the one-file build, and are loaded from beside it by the demo and the simulator alone.
const load: Readonly<Record<"@electric-sql/pglite" | "sharp", () => Promise<unknown>>> = {
  "@electric-sql/pglite": () => import("@electric-sql/pglite"),
  sharp: () => import("sharp")
}

/** sharp explains itself over several lines. */
const firstLine = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause)).split("\n", 1)[0]

/** Fails, before anything is made, when one of them cannot be loaded: not installed, or without its native part. */
export const loadable = (who: string, ...names: ReadonlyArray<keyof typeof load>) =>
  Effect.forEach(
    names,
    (name) =>
      Effect.tryPromise({
        try: load[name],
        catch: (cause) =>
          new Failed({ message: `${who} needs ${name}: ${firstLine(cause)}; in a checkout, npm ci installs what is missing` })
      }),
    { discard: true }
  )
