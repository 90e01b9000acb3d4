import { Context, Effect } from "effect"

/** The resident memory of this process (KiB). */
export const ResidentMemory = Context.Reference<Effect.Effect<number>>("model-generator/services/ResidentMemory", {
  defaultValue: () => Effect.sync(() => Math.ceil(process.memoryUsage.rss() / 1024))
})
