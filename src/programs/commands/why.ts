import { Console, DateTime, Effect, type Layer, Schema } from "effect"
import { Argument, Command } from "effect/cli"
import type { Catalogue } from "../../services/Catalogue.ts"
import type { DeadLetters } from "../../services/DeadLetters.ts"
import type { Journal } from "../../services/Journal.ts"
import type { Ledger } from "../../services/Ledger.ts"
import type { ModelLibrary } from "../../services/ModelLibrary.ts"
import type { QueueInspector } from "../../services/QueueInspector.ts"
import type { ResultStore } from "../../services/ResultStore.ts"
import * as Settings from "../../services/Settings.ts"
import type { TaskLives } from "../../services/TaskLives.ts"
import * as Text from "../../wire/Text.ts"
import { asking } from "./asking.ts"
import { print } from "./client.ts"
import * as Display from "./Display.ts"
import * as flags from "./flags.ts"
import { Failed, inJson } from "./outcome.ts"
import { type Facts, placesLookedAt, search } from "./whyFacts.ts"
import * as Story from "./whyStory.ts"

export type World = TaskLives | Journal | QueueInspector | DeadLetters | ResultStore | ModelLibrary | Ledger | Catalogue

/** What has not answered by then counts as not reached (milliseconds). A deep queue is looked through meanwhile. */
const PATIENCE = 10_000

const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" } as const
const DAY = { weekday: "short", day: "numeric", month: "short", year: "numeric" } as const

/** Times as a person reads them in this zone. */
const clockOf = (zone: DateTime.TimeZone) => {
  const timeZone = DateTime.zoneToString(zone)
  const [time, day] = [TIME, DAY].map((form) => new Intl.DateTimeFormat("en-GB", { ...form, timeZone }))
  return { zone: timeZone, time: (at: number) => time!.format(at), day: (at: number) => day!.format(at) }
}
type Clock = ReturnType<typeof clockOf>

/** The story in columns: the day where it changes, the time, what has passed since the line before, who, and what. */
const rowsOf = (lines: ReadonlyArray<Story.Line>, { day, time }: Clock) =>
  lines.flatMap(({ at, says, worker }, n) => {
    const before = lines[n - 1]
    const row = [time(at), before === undefined ? "" : `+${Story.duration(Math.max(0, at - before.at))}`, worker, says]
    return before !== undefined && day(before.at) === day(at) ? [row] : [[day(at), "", "", ""], row]
  })

export const text = (facts: Facts, paint: Display.Paint, zone: DateTime.TimeZone, room = Infinity): string => {
  const clock = clockOf(zone)
  const { day, time } = clock
  const story = Story.tell(facts, (at) => `${day(at)} ${time(at)}`)
  const head = `${paint.bold(Text.printable([story.task, facts.taskId].filter(Boolean).join(" ")))}  ${Text.printable(story.state)}`
  const rows = rowsOf(story.lines, clock).map((row) => row.map(Text.printable))
  const lived =
    rows.length === 0
      ? "no steps are kept: a task that pays nothing and goes well leaves none, and others are kept for a week"
      : Display.table(paint, [`time (${clock.zone})`, "after", "worker", "what"], rows)
  const known = [...story.facts, ...facts.notReached.map(({ where, why }) => ["not reached", `${where}: ${why}`] as const)]
  const wide = Math.max(...known.map(([name]) => name.length))
  return [
    head,
    "",
    lived,
    "",
    ...known.map(([name, says]) => Display.wrap(`${paint.dim(name.padEnd(wide))}  ${Text.printable(says)}`, room))
  ].join("\n")
}

const notFound = (wanted: string, notReached: Facts["notReached"]) =>
  [
    `no task ${Text.printable(wanted)}. Looked for it in ${placesLookedAt.join(", ")}.`,
    ...notReached.map(({ where, why }) => `Not reached: ${where} (${why}).`),
    "A task that paid nothing and went well is known only by its whole id, for as long as its result is kept."
  ].join(" ")

/** Tells one task's life, from whatever is left of it. */
export const why = <E>(world: Layer.Layer<World, E>) =>
  Command.make(
    "why",
    {
      id: Argument.String("task-id").pipe(
        Argument.withDescription("A task's id, or the beginning of it"),
        Argument.withSchema(Schema.NonEmptyString)
      ),
      json: flags.json
    },
    ({ id, json }) =>
      Effect.gen(function* () {
        const found = yield* asking(world, PATIENCE, (until) => search(id, until))
        switch (found._tag) {
          case "None": {
            if (json) yield* print({ task_id: id, state: "not found", looked_in: placesLookedAt, not_reached: found.notReached })
            return yield* new Failed({ message: notFound(id, found.notReached) })
          }
          case "Several": {
            if (json) yield* print({ task_id: id, state: "ambiguous", task_ids: found.ids, more: found.more })
            const which = found.ids.map((one) => `\n  ${Text.printable(one)}`).join("")
            return yield* new Failed({
              message: `${Text.printable(id)} is the beginning of several tasks:${which}${found.more ? "\n  and more" : ""}`
            })
          }
          case "One": {
            const { facts } = found
            const { TIMEZONE } = yield* Settings.of("TIMEZONE")
            if (json)
              return yield* print(
                Story.inJson(
                  facts,
                  Story.tell(facts, (at) => new Date(at).toISOString())
                )
              )
            return yield* Console.log(text(facts, yield* Display.paint, TIMEZONE, yield* Display.width))
          }
        }
      }).pipe(inJson(json, print))
  ).pipe(
    Command.withDescription("What became of one task: its waits, its workers, its request at fal, its result"),
    Command.withExamples([
      { command: "model-generator why 5f2c9a1e-1d0b-4f6e-9a57-6d2f6a0c8f11", description: "One task's life, step by step" },
      { command: "model-generator why 5f2c", description: "The same, where no other task begins so" }
    ])
  )
