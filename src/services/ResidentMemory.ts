import { Context, Effect } from "effect"

/** What this process takes of the machine's memory, in kilobytes of 1024 bytes. */
export const ResidentMemory = Context.Reference<Effect.Effect<number>>("model-generator/services/ResidentMemory", {
  defaultValue: () => Effect.sync(() => Math.ceil(process.memoryUsage.rss() / 1024))
})
