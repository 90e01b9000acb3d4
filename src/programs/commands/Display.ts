import { Clock, Config, Effect, Semaphore, Stdio, Stream, Terminal } from "effect"
import { TerminalCapabilities } from "effect/cli"

/** Colours, if the terminal shows them and `NO_COLOR` is not set. */
export const paint = Effect.map(TerminalCapabilities.TerminalCapabilities, ({ canColor }) => {
  const style = (code: number) => (text: string) => (canColor ? `\u001b[${code}m${text}\u001b[0m` : text)
  return { bold: style(1), dim: style(2), red: style(31), green: style(32), yellow: style(33) }
})
export type Paint = Effect.Success<typeof paint>

/** Columns, where the terminal does not tell. */
const USUAL = 80

/** How wide a text on standard output may be: as its terminal, or as it likes where a program or a file takes it. */
export const width = Effect.gen(function* () {
  const stdio = yield* Stdio.Stdio
  const terminal = yield* Terminal.Terminal
  return (yield* stdio.stdoutIsTerminal) ? (yield* terminal.columns) || USUAL : Infinity
})

/** An instant (Unix seconds) for a person, to the minute. */
export const minute = (seconds: number) => `${new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`

const DRAW_EVERY = "100 millis"
const frames = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
/** The spinner's character after this time. */
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
  const draw = Effect.fnUntraced(function* (above: string | undefined) {
    const columns = (yield* terminal.columns) || USUAL
    // A line that wraps would count as one and be erased as one.
    const lines = area((yield* Clock.currentTimeMillis) - began).map((line) => cut(line, Math.max(20, columns - 1)))
    const text = erase() + (above === undefined ? "" : `${wrap(above, columns)}\n`) + lines.map((line) => `${line}\n`).join("")
    height = lines.length
    yield* write(text)
  }, turn.withPermits(1))
  yield* Effect.acquireRelease(write("\u001b[?25l"), () => Effect.suspend(() => write(`${erase()}\u001b[?25h`)))
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(draw(undefined), Effect.sleep(DRAW_EVERY))))
  return { live, line: (text: string) => draw(text) } satisfies Display
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

const INDENT = "    "
/** Broken between words into lines of at most `width`, all but the first indented. */
export const wrap = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text
  const lines: Array<string> = []
  let line: string | undefined
  for (const word of text.split(" ")) {
    const longer: string = line === undefined ? word : `${line} ${word}`
    if (line === undefined || widthOf(longer) <= width) line = longer
    else {
      lines.push(line.trimEnd())
      line = word === "" ? undefined : INDENT + word
    }
  }
  return [...lines, line ?? ""].join("\n")
}

const NARROWEST = 8
const GAP = 2
/** The widest give way, one character at a time, until all fit into `room`. */
const fit = (wanted: ReadonlyArray<number>, room: number): ReadonlyArray<number> => {
  const widths = [...wanted]
  const total = () => widths.reduce((sum, one) => sum + one, GAP * (widths.length - 1))
  while (total() > room) {
    const widest = Math.max(...widths)
    if (widest <= NARROWEST) break
    widths[widths.indexOf(widest)] = widest - 1
  }
  return widths
}
/** Names differ at both ends: what is too long loses its middle. Paint is lost with it. */
const shorten = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text
  const plain = [...text.replaceAll(new RegExp(escapes, "g"), "")]
  const head = Math.ceil((width - 1) / 2)
  return `${plain.slice(0, head).join("")}…${plain.slice(plain.length - (width - 1 - head)).join("")}`
}

/** Columns under their titles, as wide as what is in them where `room` allows. */
export const table = (
  paint: Paint,
  titles: ReadonlyArray<string>,
  rows: ReadonlyArray<ReadonlyArray<string>>,
  room = Infinity
): string => {
  const widths = fit(
    titles.map((title, at) => Math.max(widthOf(title), ...rows.map((row) => widthOf(row[at] ?? "")))),
    room
  )
  const line = (cells: ReadonlyArray<string>) =>
    cells
      .map((cell, at) => shorten(cell, widths[at]!))
      .map((cell, at) => (at === titles.length - 1 ? cell : cell + " ".repeat(widths[at]! - widthOf(cell) + GAP)))
      .join("")
      .trimEnd()
  return [paint.dim(line(titles)), ...rows.map(line)].join("\n")
}
