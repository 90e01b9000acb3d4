import { Clock, Config, Effect, Semaphore, Stdio, Stream, Terminal } from "effect"
import { TerminalCapabilities } from "effect/cli"

/** Colours, where the terminal shows them and nobody asked for none (`NO_COLOR`). */
export const paint = Effect.map(TerminalCapabilities.TerminalCapabilities, ({ canColor }) => {
  const style = (code: number) => (text: string) => (canColor ? `\u001b[${code}m${text}\u001b[0m` : text)
  return { bold: style(1), dim: style(2), red: style(31), green: style(32), yellow: style(33) }
})
export type Paint = Effect.Success<typeof paint>

const DRAW_EVERY = "100 millis"
const frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
/** One step of a spinner, by the time that has passed. */
export const spinner = (millis: number) => frames[Math.floor(millis / 100) % frames.length]!

export const bar = (done: number, total: number, width: number) => {
  const filled = total === 0 ? 0 : Math.round((Math.min(done, total) / total) * width)
  return "█".repeat(filled) + "░".repeat(width - filled)
}

/** Where a person watches what a command waits for: standard error, so that standard output holds nothing but the result. */
export interface Display {
  /** Whether the area below the lines moves; elsewhere there are only lines. */
  readonly live: boolean
  /** Something that happened: one line, for good. */
  readonly line: (text: string) => Effect.Effect<void>
}

/**
 * A display for as long as the scope lives. In a terminal the lines of `area` stand below all others and are drawn anew ten
 * times a second; elsewhere (a log, a pipe) `area` is never asked and no control character is written.
 */
export const make = Effect.fnUntraced(function* (area: (millis: number) => ReadonlyArray<string>) {
  const stdio = yield* Stdio.Stdio
  const terminal = yield* Terminal.Terminal
  const term = yield* Config.String("TERM").pipe(Config.withDefault(""), Effect.orDie)
  const live = (yield* stdio.stderrIsTerminal) && term !== "dumb"
  const write = (text: string) => Effect.ignore(Stream.run(Stream.make(text), stdio.stderr({ endOnDone: false })))
  if (!live) return { live, line: (text: string) => write(`${text}\n`) } satisfies Display

  const turn = yield* Semaphore.make(1)
  let height = 0
  const began = yield* Clock.currentTimeMillis
  const erase = () => (height === 0 ? "" : `\r\u001b[${height}A\u001b[J`)
  const draw = Effect.fnUntraced(function* (above: string) {
    const columns = yield* terminal.columns
    // A line that wraps would count as one and be erased as one.
    const lines = area((yield* Clock.currentTimeMillis) - began).map((line) => cut(line, Math.max(20, columns - 1)))
    const text = erase() + above + lines.map((line) => `${line}\n`).join("")
    height = lines.length
    yield* write(text)
  }, turn.withPermits(1))
  yield* Effect.acquireRelease(write("\u001b[?25l"), () => Effect.suspend(() => write(`${erase()}\u001b[?25h`)))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(draw(""), Effect.sleep(DRAW_EVERY))))
  return { live, line: (text: string) => draw(`${text}\n`) } satisfies Display
})

const ESCAPE = "\u001b"
const escapes = new RegExp(`(${ESCAPE}\\[[0-9;]*m)`)
/** At most `width` characters of text; the codes between them take no room. */
const cut = (line: string, width: number): string => {
  let left = width
  return line
    .split(escapes)
    .map((part) => {
      if (escapes.test(part)) return part
      const kept = [...part].slice(0, left).join("")
      left -= [...kept].length
      return kept
    })
    .join("")
}

const widthOf = (text: string) => [...text.replaceAll(new RegExp(escapes, "g"), "")].length

/** Columns under their titles, as wide as what is in them. */
export const table = (paint: Paint, titles: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string => {
  const widths = titles.map((title, at) => Math.max(widthOf(title), ...rows.map((row) => widthOf(row[at] ?? ""))))
  const line = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, at) => (at === titles.length - 1 ? cell : cell + " ".repeat(widths[at]! - widthOf(cell))))
      .join("  ")
      .trimEnd()
  return [paint.dim(line(titles)), ...rows.map(line)].join("\n")
}
