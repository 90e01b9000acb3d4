/** What a chaos run prints. */
import type { Outcome } from "./chaos.ts"
import type { Later } from "./later.ts"
import { steps } from "./Watch.ts"

const sum = (counts: ReadonlyMap<unknown, number>) => [...counts.values()].reduce((all, one) => all + one, 0)

const brokenLater = ({ atFal, files, marked, rows, signed }: Later): ReadonlyArray<string> => [
  ...(atFal === 0 ? [] : [`fal still has ${atFal} pictures: nothing is shown by their being in the store`]),
  ...(marked === files ? [] : [`${files - marked} of ${files} files have no mark that exiftool finds`]),
  ...(signed === 0 || signed === rows ? [] : [`${rows - signed} of ${rows} pictures have no valid manifest`])
]

/** Everything that must not be, in words; empty when every promise was kept. */
export const broken = ({ left, storm, unasked, verdict, week, wrongFiles }: Outcome): ReadonlyArray<string> => [
  ...(["lost", "savedTwice", "paidTwice", "wrong", "misbooked"] as const).flatMap((what) =>
    verdict[what].map((about) => `${what}: ${about}`)
  ),
  ...wrongFiles,
  ...(week === undefined ? [] : brokenLater(week)),
  ...left.map(({ family, forever }) => `left in Redis: ${forever} ${family}`),
  ...unasked.map((end) => `nobody killed it: ${end}`),
  ...storm.missed.map((strike) => `not reached: ${strike}`)
]

export const table = ({ keys, storm: { counts }, strikes: { done } }: Outcome): string => {
  const rows = [
    ["a worker that had just", "killed -9", "answer lost", "frozen"],
    ...steps.map((step) => [step, ...[done.kill, done.lose, done.freeze].map((counts) => String(counts.get(step) ?? ""))]),
    ["(at random)", String(counts.random), "", ""]
  ]
  const width = Math.max(...rows.map(([first]) => first!.length))
  return [
    ...rows.map(([first, ...rest]) => first!.padEnd(width) + rest.map((cell) => cell.padStart(13)).join("")),
    "",
    `Redis stopped ${counts["Redis stopped"]}, killed -9 ${counts["Redis killed"]}; PgBouncer killed -9 ${counts.PgBouncer}; PostgreSQL restarted ${counts.PostgreSQL}; fal faults ${counts.faults}`,
    `on the broker afterwards: ${keys.map(({ count, family }) => `${count} ${family}`).join(", ")}`
  ].join("\n")
}

export const summary = ({ left, seconds, sent, storm: { counts }, strikes, verdict, week, wrongFiles }: Outcome): string => {
  const { done, uncertain } = strikes
  return [
    `tasks ${sent}`,
    `kills ${sum(done.kill) + counts.random} (${sum(done.kill)} at a step, ${counts.random} at random)`,
    `answers lost ${sum(done.lose)}`,
    `frozen ${counts.frozen}`,
    `Redis restarts ${counts["Redis stopped"] + counts["Redis killed"]}`,
    `lost ${verdict.lost.length}`,
    `saved twice ${verdict.savedTwice.length}`,
    `paid twice ${verdict.paidTwice.length}`,
    `uncertain resubmits ${verdict.resubmitted.length} (of ${uncertain.size} uncertain)`,
    `wrong results ${verdict.wrong.length}`,
    `wrong rows in the ledger ${verdict.misbooked.length}`,
    `wrong files ${wrongFiles.length}`,
    ...(counts["store away"] === 0 ? [] : [`store away ${counts["store away"]}`]),
    ...(week === undefined
      ? []
      : [
          `eight days later ${week.rows} rows, pictures at fal ${week.atFal}`,
          `files without a row ${week.orphansBefore}, deleted ${week.deleted}, left ${week.wrong.length}`,
          `marked ${week.marked} of ${week.files} files, signed ${week.signed}`
        ]),
    `left in Redis ${left.length}`,
    `${Math.round(seconds)} s`
  ].join(", ")
}
