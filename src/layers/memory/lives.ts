import { ALTOGETHER, FIRST, KEEP, LAST, type Told } from "../../services/TaskLives.ts"
import { OVERHEAD, partsOf, tellingOf } from "../lifeText.ts"

/** The lives that a broker in this process keeps. */
export interface MemoryLives {
  /** As `tell` of the scripts does it. `now` in Unix milliseconds. */
  readonly tell: (told: Told | undefined, now: number) => void
  readonly of: (taskId: string) => ReadonlyArray<string>
  readonly ids: () => Iterable<string>
}

export const makeLives = (altogether = ALTOGETHER): MemoryLives => {
  /** The one that has not changed for longest first. */
  const lives = new Map<string, { readonly texts: Array<string>; readonly at: number }>()
  let bytes = 0
  const sizeOf = (text: string) => Buffer.byteLength(text) + OVERHEAD
  const sumOf = (texts: ReadonlyArray<string>) => texts.reduce((sum, text) => sum + sizeOf(text), 0)

  return {
    tell: (told, now) => {
      if (told === undefined) return
      const { taskId } = told
      const telling = tellingOf(told.event)
      const kind = telling.slice(0, telling.indexOf("\n"))
      const texts = [...(lives.get(taskId)?.texts ?? [])]
      const before = sumOf(texts)
      const last = partsOf(texts.at(-1) ?? "")
      const t = (now / 1000).toFixed(6)
      if (last !== undefined && kind !== "" && last.kind === kind)
        texts[texts.length - 1] = `${last.number} ${last.times + 1} ${last.from.toFixed(6)} ${t} ${telling}`
      else texts.push(`${last === undefined ? 1 : last.number + last.times} 1 ${t} ${t} ${telling}`)
      if (texts.length > FIRST + LAST) texts.splice(FIRST, 1)
      bytes += sumOf(texts) - before
      lives.delete(taskId)
      lives.set(taskId, { texts, at: now })
      for (const [old, life] of lives) {
        if (old === taskId || (bytes <= altogether && life.at > now - KEEP * 1000)) break
        bytes -= sumOf(life.texts)
        lives.delete(old)
      }
    },
    of: (taskId) => lives.get(taskId)?.texts ?? [],
    ids: () => lives.keys()
  }
}
