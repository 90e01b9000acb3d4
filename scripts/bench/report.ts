/** The figures of a run and how they are shown, from the JSON that a run writes. Pure. */
import { type Better, type Conditions, changed, median, MOST_STOCK_SPREAD, noise, spread } from "./statistics.ts"

export interface Figure {
  readonly id: string
  /** With its unit. */
  readonly label: string
  readonly better: Better
}

export interface Round extends Conditions {
  /** By figure, then by contender. */
  readonly values: Readonly<Record<string, Readonly<Record<string, number>>>>
}

export interface Report {
  readonly date: string
  readonly commit: string
  readonly machine: string
  readonly versions: Readonly<Record<string, string>>
  /** In the order of the columns: ours first, then the one that all are compared with. */
  readonly contenders: ReadonlyArray<{ readonly id: string; readonly name: string }>
  readonly figures: ReadonlyArray<Figure>
  readonly rounds: ReadonlyArray<Round>
  /** What could not be measured, and why. */
  readonly leftOut: ReadonlyArray<string>
}

const digits = (value: number) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2))
const times = (ratio: number) => `${ratio.toFixed(2)}x`

const valuesOf = (report: Report, figure: Figure, contender: string) =>
  report.rounds.flatMap(({ values }) => values[figure.id]?.[contender] ?? [])

/** The pairs of figures that both sides measured in the same round. */
const pairsOf = (report: Report, figure: Figure, contender: string, base: string) =>
  report.rounds.flatMap(({ values }) => {
    const [now, before] = [values[figure.id]?.[contender], values[figure.id]?.[base]]
    return now === undefined || before === undefined || before === 0 ? [] : { now, before }
  })
const ratiosOf = (...which: Parameters<typeof pairsOf>) => pairsOf(...which).map(({ before, now }) => now / before)

const range = (ratios: ReadonlyArray<number>) => `${times(Math.min(...ratios))} to ${times(Math.max(...ratios))}`
const orNothing = (values: ReadonlyArray<number>, show: (values: ReadonlyArray<number>) => string) =>
  values.length === 0 ? "" : show(values)

/** Stands after a ratio when the other side's own figure is not steady. */
const UNSTEADY = "?"

export type Table = ReadonlyArray<ReadonlyArray<string>>

/** Each figure with the ratio to Celery's of the same round: its median, and the smallest and the largest. */
export const table = (report: Report): Table => {
  const [ours, base, ...others] = report.contenders
  if (ours === undefined || base === undefined) return []
  const unsteady = (figure: Figure) => {
    const stock = valuesOf(report, figure, base.id)
    return stock.length > 0 && spread(stock) > MOST_STOCK_SPREAD ? ` ${UNSTEADY}` : ""
  }
  const middle = (values: ReadonlyArray<number>) => digits(median(values))
  return [
    ["", ours.name, base.name, "ratio", "over the rounds", ...others.map(({ name }) => `ratio: ${name}`)],
    ...report.figures.map((figure) => {
      const ratios = ratiosOf(report, figure, ours.id, base.id)
      return [
        figure.label,
        orNothing(valuesOf(report, figure, ours.id), middle),
        orNothing(valuesOf(report, figure, base.id), middle),
        orNothing(ratios, (ratios) => times(median(ratios)) + unsteady(figure)),
        orNothing(ratios, range),
        ...others.map(({ id }) => orNothing(ratiosOf(report, figure, id, base.id), (ratios) => times(median(ratios))))
      ]
    })
  ]
}

/** Two commits: the new one, the old one, and whether the rounds show a difference. */
export const comparison = (report: Report): Table => {
  const [now, before] = report.contenders
  if (now === undefined || before === undefined) return []
  return [
    ["", now.name, before.name, "ratio", "over the rounds", ""],
    ...report.figures.map((figure) => {
      const pairs = pairsOf(report, figure, now.id, before.id)
      const ratios = ratiosOf(report, figure, now.id, before.id)
      return [
        figure.label,
        orNothing(valuesOf(report, figure, now.id), (values) => digits(median(values))),
        orNothing(valuesOf(report, figure, before.id), (values) => digits(median(values))),
        orNothing(ratios, (ratios) => times(median(ratios))),
        orNothing(ratios, range),
        pairs.length === 0 ? "not measured" : changed(pairs, figure.better)
      ]
    })
  ]
}

/** The table as oxfmt formats it, so that formatting changes nothing. */
export const markdown = (rows: Table): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => row[column]!.length)))
  const line = (cells: ReadonlyArray<string>) => `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`
  const [head = [], ...body] = rows
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n")
}

/** The remarks below a table: commit, machine, noise. */
export const remarks = (report: Report, shown: Table): ReadonlyArray<string> => {
  const noisy = noise(report.rounds)
  const versions = Object.entries(report.versions).map(([what, version]) => `${what} ${version}`)
  return [
    `Commit ${report.commit}, ${report.date.slice(0, 10)}, rounds: ${report.rounds.length}, on ${report.machine}; ${versions.join(", ")}.`,
    noisy.length === 0 ? "The machine was quiet." : `**The machine was too noisy to judge by**: ${noisy.join("; ")}.`,
    ...(shown.flat().some((cell) => cell.endsWith(UNSTEADY))
      ? [
          `${UNSTEADY} after a ratio: the other side's own figure varied by more than ${MOST_STOCK_SPREAD * 100} % between the rounds.`
        ]
      : []),
    ...(report.leftOut.length === 0 ? [] : [`Left out: ${report.leftOut.join("; ")}.`])
  ]
}

export const shownWith = (report: Report, shown: Table): string => [markdown(shown), ...remarks(report, shown)].join("\n\n")

const [BEGIN, END] = ["<!-- bench: written by npm run bench -->", "<!-- bench: end -->"]

/** README's part between the two markers. */
export const section = (report: Report): string => shownWith(report, table(report))

/** A text with what is between its markers replaced. */
export const withSection = (readme: string, text: string): string => {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)]
  if (begin === -1 || end < begin) throw new Error(`README.md has no place between ${BEGIN} and ${END}`)
  return `${readme.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${readme.slice(end)}`
}
