import { Effect } from "effect"
import { render } from "./picture/render.ts"
import { detail, type Reply } from "./HttpReply.ts"
import type { World } from "./World.ts"

/** A picture's bytes, without a key. They are drawn anew each time, and come out the same. */
export const media = Effect.fnUntraced(function* (world: World, name: string): Effect.fn.Return<Reply> {
  const found = world.media.get(name)
  if (found === undefined || found.goneAt < (yield* world.now)) return detail(404, "File not found")
  if (found.lost !== undefined) return detail(found.lost, "File not available")
  const body = yield* Effect.promise(() => render(found))
  return { status: 200, headers: { "content-type": `image/${found.format}`, "cache-control": "public, max-age=3600" }, body }
})
