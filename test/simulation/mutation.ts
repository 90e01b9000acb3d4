import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Mutant, mutants } from "./mutants.ts"
import { runThread } from "./threads.ts"

export interface Catch {
  readonly mutant: Mutant
  /** The invariant that was broken, at which seed, after how many; undefined when all went well. */
  readonly by: string | undefined
  readonly seed: number | undefined
  readonly seeds: number
}

/** Whether there is a place for the bug, and one only. */
export const fits = (root: string, { file, from }: Mutant) => readFileSync(join(root, file), "utf8").split(from).length === 2

/** A copy of what a run needs, with one bug more. It is an error if there is no place for the bug any more. */
const planted = (root: string, mutant: Mutant) => {
  const { file, from, name, to } = mutant
  if (!fits(root, mutant)) throw new Error(`the mutant "${name}" does not fit ${file} any more`)
  const folder = mkdtempSync(join(tmpdir(), "model-generator-mutant-"))
  for (const part of ["src", "test/simulation", "test/support.ts", "test/textPictures.ts", "package.json"])
    cpSync(join(root, part), join(folder, part), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  const text = readFileSync(join(folder, file), "utf8")
  writeFileSync(
    join(folder, file),
    text.replace(from, () => to)
  )
  return folder
}

export const tryMutant = async (root: string, mutant: Mutant, seeds: number): Promise<Catch> => {
  const folder = planted(root, mutant)
  try {
    const until = mutant.breaks ?? ""
    const { failures, seeds: done } = await runThread(folder, { from: 1, to: seeds, step: 1, until })
    const found = failures.flatMap(({ seed, violations }) => violations.map((by) => ({ seed, by })))
    const first = found.find(({ by }) => by.includes(until))
    return { mutant, by: first?.by, seed: first?.seed, seeds: done }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Tries each mutant and writes one line for it: what caught it, at which seed. Gives whether each was caught. */
export const tryMutants = async (
  root: string,
  options: { readonly seeds: number; readonly threads: number; readonly only: string | undefined },
  write: (line: string) => void
): Promise<ReadonlyArray<boolean>> => {
  const left = mutants.filter(({ name }) => options.only === undefined || name.includes(options.only))
  const caught: Array<boolean> = []
  const one = async () => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const { by, seed, seeds } = await tryMutant(root, mutant, options.seeds)
      caught.push(by !== undefined)
      write(
        `${mutant.name.padEnd(52)} ${by === undefined ? `NOT CAUGHT in ${seeds} seeds` : `seed ${String(seed).padEnd(5)} ${by}`}`
      )
    }
  }
  await Promise.all(Array.from({ length: options.threads }, one))
  return caught
}
