/** A week later: fal has deleted what it made, and the store is cleared of what no row names. */
import { Clock, ConfigProvider, Effect, Layer } from "effect"
import { execFileSync } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as MediaStoreLive from "../../src/layers/media/MediaStoreLive.ts"
import * as ModelLibrarySql from "../../src/layers/postgres/ModelLibrarySql.ts"
import { garbage } from "../../src/programs/media/collectGarbage.ts"
import { judge } from "../c2pa.ts"
import { theStore } from "../contracts/mediaStore.ts"
import { connected } from "../layers/databases.ts"
import type { Arena } from "./arena.ts"
import * as Shelf from "./Shelf.ts"

/** Longer than fal keeps pictures. */
const DAYS = 8

/** All that asks for the time within is told a later one. */
const ahead = (days: number) =>
  Effect.provideServiceEffect(
    Clock.Clock,
    Effect.map(Clock.Clock, (clock) => {
      const later = (now: number) => now + days * 86_400_000
      return {
        ...clock,
        currentTimeMillisUnsafe: () => later(clock.currentTimeMillisUnsafe()),
        currentTimeMillis: Effect.map(clock.currentTimeMillis, later),
        currentTimeNanos: clock.currentTimeNanos,
        currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe(),
        sleep: (duration) => clock.sleep(duration)
      }
    })
  )

/** As `library gc --delete`. Gives how many files it deleted. */
const collect = (env: Readonly<Record<string, string>>, database: string) =>
  Effect.gen(function* () {
    const store = yield* theStore
    const files = yield* garbage(store)
    yield* Effect.forEach(files, ({ name }) => store.remove(name), { discard: true })
    return files.length
  }).pipe(
    ahead(DAYS),
    Effect.provide([
      MediaStoreLive.layer.pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env)))),
      ModelLibrarySql.layer.pipe(Layer.provide(connected(database)))
    ]),
    Effect.orDie
  )

/** `python`: of an environment with c2pa-python, where the workers sign. */
export const later = Effect.fnUntraced(function* (arena: Arena, shelf: Shelf.Shelf, python: string | undefined) {
  yield* arena.jump(DAYS * 86_400)
  const rows = yield* arena.rows
  const answers = yield* Effect.forEach(
    rows,
    ({ source_url }) => Effect.promise(async () => (await fetch(source_url ?? "")).status),
    { concurrency: 8 }
  )
  const before = yield* Effect.promise(() => Shelf.compare(shelf, rows))
  const deleted = yield* collect(shelf.env, arena.databaseUrl)
  const pictures = join(arena.folder, "pictures")
  mkdirSync(pictures)
  const { orphans, wrong } = yield* Effect.promise(() =>
    Shelf.compare(shelf, rows, (name, bytes) => writeFileSync(join(pictures, name), bytes))
  )
  const tags = JSON.parse(
    execFileSync("exiftool", ["-json", "-q", "-n", "-XMP-iptcExt:DigitalSourceType", pictures], {
      encoding: "utf8",
      maxBuffer: 2 ** 28
    })
  ) as ReadonlyArray<{ readonly DigitalSourceType?: string }>
  const originals = rows.map(({ image_url }) => join(pictures, image_url.slice(image_url.lastIndexOf("/") + 1)))
  const verdicts = python === undefined ? [] : judge(python, "-", originals)
  return {
    rows: rows.length,
    /** Pictures that fal still has. */
    atFal: answers.filter((status) => status === 200).length,
    orphansBefore: before.orphans.length,
    deleted,
    wrong: [...wrong, ...orphans],
    files: tags.length,
    marked: tags.filter(({ DigitalSourceType }) => DigitalSourceType?.endsWith("/trainedAlgorithmicMedia")).length,
    signed: verdicts.filter(({ state }) => state === "Valid").length
  }
})
export type Later = Effect.Success<ReturnType<typeof later>>
